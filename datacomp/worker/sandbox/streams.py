"""What comes out of a sandbox, taken in by threads: a log without tricks, and bytes with an end."""

import codecs
import os
import re
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import IO

_PIECE = 2**16
_UNUSUAL = re.compile(r"[^\n\t -~]")


class Stream:
    """A pipe that a thread reads to its end, giving each piece to `keep`.

    `error` is what `keep` raised, if it did; what comes after that is read and dropped.
    """

    def __init__(self, fd: int, keep: Callable[[bytes], None]) -> None:
        self._fd, self._keep = fd, keep
        self.error: OSError | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, when all that could write are gone; raise what `keep` raised."""
        self._thread.join()
        os.close(self._fd)
        if self.error is not None:
            raise self.error

    def _read(self) -> None:
        while piece := os.read(self._fd, _PIECE):
            try:
                if self.error is None:
                    self._keep(piece)
            except OSError as error:
                self.error = error


class Log:
    """Text in a file: the first and the last of it, and how much was between them."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._head, self._tail = file, limit // 2, limit - limit // 2
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._last, self._dropped = bytearray(), 0

    def keep(self, piece: bytes) -> None:
        """Take a piece of any size."""
        now, later = piece[: self._head], piece[self._head :]
        self._head -= len(now)
        self._write(now)
        self._last += later
        if len(self._last) > 2 * self._tail:
            self._drop()

    def close(self) -> None:
        """Write what was kept of the end."""
        self._drop()
        if self._dropped:
            self._write(f"\n[{self._dropped:,} bytes are left out here]\n".encode())
        self._write(bytes(self._last), final=True)

    def _drop(self) -> None:
        more = max(len(self._last) - self._tail, 0)
        del self._last[:more]
        self._dropped += more

    def _write(self, data: bytes, final: bool = False) -> None:
        self._file.write(plain(self._decoder.decode(data, final)).encode())
        self._file.flush()


class Output:
    """Bytes into a file, up to a limit; `overflowed` once there were more.

    The first byte is no result: it says that the command was `reached`.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._file, self._limit = path.open("wb"), limit
        self.size, self.reached, self.overflowed = 0, False, False

    def keep(self, piece: bytes) -> None:
        """Take a piece, which is not empty; what is over the limit is dropped."""
        if not self.reached:
            self.reached, piece = True, piece[1:]
        room = self._limit - self.size
        self.overflowed = self.overflowed or len(piece) > room
        self._file.write(piece[:room])
        self.size += len(piece[:room])

    def close(self) -> None:
        """End the file."""
        self._file.close()


def plain(text: str) -> str:
    """Text that shows as it is: without what moves a cursor or turns the order of letters round.

    Such letters, and what was none, become question marks, so that it grows no longer; line feeds
    and tabs stay.
    """
    return _UNUSUAL.sub(_shown, text.replace("\r\n", "\n"))


def _shown(found: re.Match[str]) -> str:
    hidden = unicodedata.category(found[0]) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "?" if hidden or found[0] == "\ufffd" else found[0]
