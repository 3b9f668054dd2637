"""The combination `cascade`: filters in order, each on what those before it left."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

from datacomp.filtering.combine import Combination, Times, copies_of, named, small
from datacomp.filtering.selection import Selection, as_copies
from datacomp.filtering.view import Mask, View


@dataclass(frozen=True, kw_only=True)
class Cascade(Combination):
    """Filters in order, each seeing only the rows that those before it left."""

    name = "cascade"
    summary = "One after another: each sees what those before it left."

    def select(self, view: View) -> Iterator[Selection]:
        """Filter after filter; what the earlier ones left waits in a temporary file."""
        with _Spilled() as so_far:
            for rows in view.parts():
                so_far.append(np.zeros(rows.n_rows, np.uint8), np.ones(rows.n_rows, np.uint32))
            # A reason has the same code in all parts, whatever reasons each part's answer lists.
            codes: dict[str, int] = {}
            for child, name in zip(self.of, self.names(), strict=True):
                left = view.of(child, _within(view, so_far))
                for number, said in enumerate(named(child, name, child.select(left))):
                    code, times = so_far.read(number)
                    alive = np.flatnonzero(code == 0)
                    own = [codes.setdefault(reason, len(codes) + 1) for reason in said.reasons]
                    code[alive] = small(np.array([0, *own])[said.code], len(codes))
                    times[alive] = as_copies(times[alive].astype(np.uint64) * said.times)
                    so_far.replace(number, code, times)
            for number, _ in enumerate(view.parts()):
                code, times = so_far.read(number)
                yield Selection(tuple(codes), code, copies_of(times))


class _Spilled:
    """Code and times of every row, by part, in a temporary file: 5 bytes a row."""

    def __enter__(self) -> "_Spilled":
        self._file: IO[bytes] = tempfile.TemporaryFile()
        self._places: list[tuple[int, int]] = []
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, code: npt.NDArray[np.uint8], times: Times) -> None:
        """Add a part."""
        self._places.append((self._file.seek(0, 2), len(code)))
        self._write(code, times)

    def replace(self, number: int, code: npt.NDArray[np.uint8], times: Times) -> None:
        """Overwrite a part, of as many rows."""
        self._file.seek(self._places[number][0])
        self._write(code, times)

    def read(self, number: int) -> tuple[npt.NDArray[np.uint8], Times]:
        """A part's arrays, writable."""
        start, n = self._places[number]
        self._file.seek(start)
        code = np.frombuffer(bytearray(self._file.read(n)), np.uint8)
        return code, np.frombuffer(bytearray(self._file.read(4 * n)), np.uint32)

    def _write(self, code: npt.NDArray[np.uint8], times: Times) -> None:
        self._file.write(code.tobytes() + times.tobytes())


def _within(view: View, so_far: _Spilled) -> Callable[[int], Mask]:
    """Masks over the parts' rows, where the rows so far are those that `view` has left."""

    def mask(number: int) -> Mask:
        alive = np.asarray(so_far.read(number)[0] == 0)
        if view.only is None:
            return alive
        rows = view.only(number).copy()
        rows[rows] = alive
        return rows

    return mask
