"""What pages are made of: boards, loaded once for everything that is made of one state of them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.reports import load_suite
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.entries import Entry, Estimate, TaskValues
from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.rules import OFFICIAL
from datacomp_leaderboard.scales import SCALES
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.boards import opening, published, trust
from datacomp_server.boards import repository as boards
from datacomp_server.boards.models import TRACKS
from datacomp_server.boards.repository import Shown
from datacomp_server.boards.ruling import rule_in_force
from datacomp_server.kit.errors import NotFound
from datacomp_server.settings import Settings
from datacomp_server.submissions import repository
from datacomp_server.verification import service as verification
from datacomp_server.verification.service import Place

Version = tuple[object, ...]
"""The state of the database, as far as boards show it."""

# What a version does not tell, such as a team's new name, is seen after this.
_ANYWAY_SECONDS = 30.0
_MAX_BOARDS = 24
_NONE = TaskValues({}, {})
_FEW = 100  # results, of which it is worth while to ask for their evidence alone
_Key = tuple[str, str, datetime | None]


class Kept:
    """The boards that a process has loaded, and the task values of their results."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._lock = threading.Lock()  # two who need the same board load it once
        self._boards: OrderedDict[_Key, tuple[Version, float, BoardData]] = OrderedDict()
        self._tasks: dict[tuple[str, str], dict[str, TaskValues]] = {}

    def board(self, key: _Key, version: Version, load: Callable[[], BoardData]) -> BoardData:
        """The board that was loaded for `version` a short while ago, or `load`ed now."""
        with self._lock:
            found, now = self._boards.get(key), self._timer()
            if found and found[0] == version and now - found[1] < _ANYWAY_SECONDS:
                self._boards.move_to_end(key)
                return found[2]
            board = load()
            self._boards[key] = version, now, board
            self._boards.move_to_end(key)
            if len(self._boards) > _MAX_BOARDS:
                self._boards.popitem(last=False)
            return board

    def tasks(
        self, session: Session, scale: str, track: str, ids: Sequence[str]
    ) -> Mapping[str, TaskValues]:
        """The task values of results, by their ids; results never change, so new ones are read."""
        known = self._tasks.setdefault((scale, track), {})
        known |= boards.tasks_of(session, [one for one in ids if one not in known])
        return known

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._boards.clear()
            self._tasks.clear()


@dataclass(frozen=True)
class Source:
    """What one page is made of: a session that sees one moment, and the boards of `version`."""

    session: Session
    artifacts: ArtifactStore
    settings: Settings
    moment: datetime
    version: Version
    kept: Kept

    def board(self, scale: str, track: str = FILTERING, until: datetime | None = None) -> BoardData:
        """The board of a scale; `NotFound` if there is no such scale.

        With `until` as it was at that moment: what had come in, what had been said and measured,
        and the rule then in force; by the names that teams have now.
        """
        if scale not in SCALES:
            raise NotFound(f"there is no board {scale!r}; there are: {', '.join(SCALES)}")
        key = (scale, track, until)
        return self.kept.board(key, self.version, lambda: self._load(scale, track, until))

    def _load(self, scale: str, track: str, until: datetime | None) -> BoardData:
        found = boards.results(self.session, track, scale, until=until)
        version = opening.suite_sha256(scale)
        current = [result for result in found if result.suite_sha256 == version]
        board = opening.current_board(self.session, track, scale)
        tasks = self.kept.tasks(self.session, scale, track, [result.id for result in current])
        known = published.entries(self.session, [board], until) if board else []
        return BoardData(
            scale=scale,
            track=track,
            suite=load_suite(SCALES[scale].suite) if version is not None else None,
            rule=rule_in_force(self.session, board, until) if board else OFFICIAL,
            entries=(*entries(self.session, current, tasks, until=until), *known),
            n_outdated=len({r.submission_id for r in found if r.suite_sha256 != version}),
            tracks=tuple(
                one for one in TRACKS if opening.current_board(self.session, one, scale) is not None
            ),
            until=until,
        )


def entries(
    session: Session,
    results: Sequence[Shown],
    tasks: Mapping[str, TaskValues],
    *,
    until: datetime | None = None,
) -> list[Entry]:
    """What boards show of results; `tasks` has their task values by result id."""
    ids = {result.submission_id for result in results} if len(results) <= _FEW else None
    places = verification.places(session, ids, until=until)
    said = repository.unranked(session, until)
    return [
        _entry(
            result,
            places.get(result.submission_id, trust.UNVERIFIED),
            said.get(result.submission_id, set()),
            tasks.get(result.id, _NONE),
        )
        for result in trust.counted(results, places)
    ]


def _entry(result: Shown, place: Place, said: Set[str], tasks: TaskValues) -> Entry:
    return Entry(
        id=result.submission_id,
        team=result.team,
        method=result.method,
        scale=result.scale,
        recipe_id=result.recipe_id,
        pool_id=result.pool_id,
        pool_size=result.pool_size,
        seed=result.seed,
        average=_estimate(result.average, result.average_stderr),
        groups={
            name: _estimate(group["value"], group["stderr"])
            for name, group in result.groups.items()
        },
        tasks=tasks,
        subset_size=result.subset_n,
        subset_unique=result.subset_unique,
        oracle=result.oracle,
        level=place.level,
        baseline="baseline" in said,
        withdrawn=bool(said & {"withdrawn", "disqualified"}),
        submitted_at=result.submitted_at,
    )


def _estimate(value: float | None, stderr: float | None) -> Estimate | None:
    return None if value is None else Estimate(value, stderr)
