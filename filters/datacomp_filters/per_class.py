"""The highest scores of each class, row after row, in bounded memory."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datacomp.subset import UidArray

PENDING = 1_000_000
"""Candidates that wait until they are sorted in among those that are held."""

Ints = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ranked:
    """Candidates, best first within a class, classes ascending: one value each.

    `place` is what the caller said where a row stands; `rank` counts from 0 within the class.
    """

    of: Ints
    score: Scores
    uid: UidArray
    place: Ints

    @property
    def rank(self) -> Ints:
        """The rank of each within its class."""
        numbers = np.arange(len(self.of))
        return numbers - np.searchsorted(self.of, self.of)

    def take(self, some: npt.NDArray[np.bool_]) -> "Ranked":
        """Some of them."""
        return Ranked(self.of[some], self.score[some], self.uid[some], self.place[some])


class TopPerClass:
    """Holds the `k` best candidates of each class: higher scores, of equal ones the lower uid.

    At most 36 bytes for each of k * classes candidates, and as much again for `PENDING` more.
    """

    def __init__(self, n_classes: int, k: int) -> None:
        self._k = k
        self._held = Ranked(
            np.empty(0, np.int64),
            np.empty(0, np.float32),
            np.empty(0, [("f0", "<u8"), ("f1", "<u8")]),
            np.empty(0, np.int64),
        )
        self._pending: list[Ranked] = []
        self._waiting = 0
        self.lowest = np.full(n_classes, -np.inf, np.float32)
        """For each class, what a candidate needs at least."""

    def add(self, of: Ints, score: Scores, uid: UidArray, place: Ints) -> None:
        """Offer candidates: one class, score (no NaN), uid and place each."""
        more = Ranked(of, score, uid, place).take(score >= self.lowest[of])
        self._pending.append(more)
        self._waiting += len(more.of)
        if self._waiting >= PENDING:
            self._settle()

    def best(self) -> Ranked:
        """What is held."""
        self._settle()
        return self._held

    def _settle(self) -> None:
        all_of = [self._held, *self._pending]
        of, score, uid, place = (
            np.concatenate([getattr(some, name) for some in all_of])
            for name in ("of", "score", "uid", "place")
        )
        order = np.lexsort((place, uid["f1"], uid["f0"], -score, of))
        ranked = Ranked(of[order], score[order], uid[order], place[order])
        rank = ranked.rank
        self._held = ranked.take(rank < self._k)
        last = ranked.take(rank == self._k - 1)
        self.lowest[last.of] = last.score
        self._pending, self._waiting = [], 0
