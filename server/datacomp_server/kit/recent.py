"""What many ask for and takes long to make: made for all of them at once, and not all the time."""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
REST = 4
"""How many times as long as it took to make something is it good, at least."""


class Recent(Generic[T]):
    """What `make`, run in a thread, gave last.

    It is made anew for whoever asks when it is over `seconds` old, and over `REST` times as old as
    it took to make, so that making takes a fifth of the time at most; who asks meanwhile waits.
    With `seconds` 0 it is made for everybody.
    """

    def __init__(
        self,
        make: Callable[[], T],
        *,
        seconds: float,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._seconds, self._timer = make, seconds, timer
        self._lock = asyncio.Lock()
        self._kept: tuple[float, T] | None = None  # until when it is good

    async def get(self) -> T:
        """The thing; the errors of `make`."""
        async with self._lock:
            if self._kept is not None and self._timer() < self._kept[0]:
                return self._kept[1]
            began = self._timer()
            made = await asyncio.to_thread(self._make)
            ended = self._timer()
            if self._seconds > 0:
                self._kept = ended + max(self._seconds, REST * (ended - began)), made
            return made
