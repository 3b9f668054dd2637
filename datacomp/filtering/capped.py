"""The selectors `soft_cap` and `hard_cap`: rows drawn by their scores, the good ones again."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from datacomp.errors import UsageError
from datacomp.filtering.scores import Expression, Read
from datacomp.filtering.selection import Selection, keep_unless
from datacomp.filtering.selectors import ByScore
from datacomp.filtering.view import View
from datacomp.subset.cuts import Chunk
from datacomp.subset.soft_cap import (
    MOST_ALPHA,
    Copies,
    Scan,
    hard_cap,
    soft_cap,
    soft_cap_clocks,
)

ROUNDS = 1280
"""T / G of the authors' notebook (arXiv 2503.08805), at 128M draws as at 128,000."""


@dataclass(frozen=True, kw_only=True)
class _Drawn(ByScore):
    draws: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws is not None and self.draws < 1:
            raise UsageError(f"draws is 1 or more, got {self.draws}")

    def score(self) -> Expression:
        """The expression."""
        return self.column

    @abstractmethod
    def draw(self, scan: Scan, draws: int) -> Iterator[Copies]:
        """How often each row is drawn, part after part."""

    def select(self, view: View) -> Iterator[Selection]:
        """Draw; as many as the whole pool has rows, if `draws` does not say."""
        read, draws = self.column.open(view), self.draws or view.whole().n_rows
        drawn = self.draw(partial(_chunks, view, read), draws) if draws else _nothing(view)
        for rows, copies in zip(view.parts(), drawn, strict=True):
            reasons = {"no_score": np.isnan(read(rows)), "not_drawn": copies == 0}
            yield keep_unless(rows, reasons, copies)

    def _entries(self) -> str:
        return f"{self.draws:,} entries" if self.draws else "as many entries as the pool has rows,"


@dataclass(frozen=True, kw_only=True)
class SoftCap(_Drawn):
    """Soft Cap Sampling (arXiv 2503.08805): rounds of `batch` different rows, by softmax of scores.

    A drawn row's score falls by `alpha`. `draws` is how many entries the subset has, the samples
    seen at a scale (default: the rows of the pool). `batch` (default: draws / 1280, which is the
    paper's 100,000 at 128M) is one draw under method "clocks": the same law, exactly, streaming.
    """

    name = "soft_cap"
    summary = "Draw by score, repeats ever less likely."

    alpha: float = 0.15
    batch: int | None = None
    method: Literal["batch", "clocks"] = "batch"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.alpha <= MOST_ALPHA:
            raise UsageError(f"alpha is between 0 and {MOST_ALPHA:g}, got {self.alpha}")
        if self.batch is not None and self.batch < 1:
            raise UsageError(f"batch is 1 or more, got {self.batch}")
        if self.method == "clocks" and self.batch not in (None, 1):
            raise UsageError(f"method clocks is exact for a batch of 1, got batch={self.batch}")

    def rules(self) -> tuple[str, ...]:
        """The draw."""
        rounds = f"{self.batch:,}" if self.batch else f"draws / {ROUNDS:,} (rounded up)"
        how = f"in rounds of {rounds} different rows"
        if self.method == "clocks":
            how = "one after another"
        return (
            f"Score: {self.column}.",
            f"Draws {self._entries()} {how}, by softmax of the scores (seed {self.seed}).",
            f"Each draw of a row lowers its score by {self.alpha:g}. not_drawn: never drawn.",
        )

    def draw(self, scan: Scan, draws: int) -> Iterator[Copies]:
        """By rounds or by clocks."""
        if self.method == "clocks":
            return soft_cap_clocks(scan, draws, self.alpha, self.seed)
        return soft_cap(scan, draws, self.alpha, self.batch or -(-draws // ROUNDS), self.seed)


@dataclass(frozen=True, kw_only=True)
class HardCap(_Drawn):
    """Draws with replacement by softmax of scores, `max_repeats` of a row at most.

    The comparison of arXiv 2503.08805: its notebook draws a million at a time, drops what is over
    the limit (15) and draws again; here one draw after another, which is the same law.
    """

    name = "hard_cap"
    summary = "Draw by score, each row up to a limit."

    max_repeats: int = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_repeats < 1:
            raise UsageError(f"max_repeats is 1 or more, got {self.max_repeats}")

    def rules(self) -> tuple[str, ...]:
        """The draw."""
        return (
            f"Score: {self.column}.",
            f"Draws {self._entries()} with replacement by softmax of the scores (seed "
            f"{self.seed}); a row that was drawn {self.max_repeats:,} times is passed over. "
            "not_drawn: never drawn.",
        )

    def draw(self, scan: Scan, draws: int) -> Iterator[Copies]:
        """By clocks that stop."""
        return hard_cap(scan, draws, self.max_repeats, self.seed)


def _nothing(view: View) -> Iterator[Copies]:
    """From a pool without rows."""
    for _ in view.parts():
        yield np.empty(0, np.uint32)


def _chunks(view: View, read: Read) -> Iterator[Chunk]:
    for rows in view.parts():
        yield read(rows), partial(getattr, rows, "uids")
