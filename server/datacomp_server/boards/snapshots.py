"""Public pages as they were a moment ago, ready to send.

A view is rendered once for everybody who asks, and again when what it shows has changed. While
that happens, visitors get the view as it was: it shows all that was committed `seconds` before the
request plus the time of one rendering, and never less than `OLDEST_SECONDS` before it; a visitor
who would get an older one waits instead. With `seconds` 0 nobody gets an old view.

Only the event loop touches what is kept here; rendering is done elsewhere.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp_leaderboard.scales import SCALES
from datacomp_server.boards.builder import helper_process, render_in_helper
from datacomp_server.boards.data import Version
from datacomp_server.boards.made import View
from datacomp_server.boards.models import Board, BoardRule, Published
from datacomp_server.boards.opening import suite_sha256
from datacomp_server.boards.rendering import Rendered, Workroom
from datacomp_server.boards.views import VERSIONS, match
from datacomp_server.kit.errors import ServerError
from datacomp_server.submissions.models import Mark, Result, Submission, Verdict
from datacomp_server.verification.models import Evidence

_LOG = logging.getLogger(__name__)
OLDEST_SECONDS = 10.0
# What the count of rows does not tell, such as a team's new name, is seen after this and what
# `data` adds to it.
_ANYWAY_SECONDS = 30.0
_MAX_VIEWS = 256
_COUNTED = (Submission, Result, Verdict, Mark, Evidence, Board, BoardRule, Published)


@dataclass(frozen=True)
class _Kept:
    rendered: Rendered
    version: tuple[Version, Version]  # of boards, and of what else the page shows
    made_at: float
    seen_at: float  # when the database was last known to have nothing newer


class Snapshots:
    """The views of one service. `helper` says whether a process of its own renders them."""

    def __init__(
        self,
        workroom: Workroom,
        *,
        seconds: float,
        helper: bool = False,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workroom, self._seconds, self._helper = workroom, seconds, helper
        self._timer = timer
        self._kept: OrderedDict[View, _Kept] = OrderedDict()
        self._tasks: dict[View, asyncio.Task[_Kept]] = {}
        self._executor: Executor | None = None

    def at_hand(self, view: View) -> Rendered | None:
        """The view where nobody has to wait for it; begins a new one if it is due."""
        kept = self._kept.get(view)
        if kept is None or self._seconds == 0:  # a rendering that has begun may miss what is known
            return None
        age = self._timer() - kept.seen_at
        if age >= self._seconds:
            self._begin(view)
        return kept.rendered if age < max(OLDEST_SECONDS, self._seconds) else None

    async def get(self, view: View) -> Rendered:
        """The view; the errors of `Workroom.render`."""
        if self._seconds == 0:
            return (await self._refresh(view)).rendered
        if (rendered := self.at_hand(view)) is not None:
            return rendered
        return (await asyncio.shield(self._begin(view))).rendered

    def close(self) -> None:
        """End the helper."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def _begin(self, view: View) -> "asyncio.Task[_Kept]":
        task = self._tasks.get(view)
        if task is None:
            task = self._tasks[view] = asyncio.create_task(self._refresh(view))
            task.add_done_callback(lambda done: self._ended(view, done))
        return task

    def _ended(self, view: View, task: "asyncio.Task[_Kept]") -> None:
        del self._tasks[view]
        if not task.cancelled() and task.exception() is not None:
            self._kept.pop(view, None)  # who asks next gets the error, or waits for a new one

    async def _refresh(self, view: View) -> _Kept:
        asked_at = self._timer()
        version = await asyncio.to_thread(self._version, view)
        kept = self._kept.get(view)
        if kept and kept.version == version and asked_at - kept.made_at < _ANYWAY_SECONDS:
            kept = _Kept(kept.rendered, version, kept.made_at, asked_at)
        else:
            rendered = await self._render(view, version[0], first=kept is None)
            kept = _Kept(rendered, version, asked_at, asked_at)
        self._kept[view] = kept
        self._kept.move_to_end(view)
        if len(self._kept) > _MAX_VIEWS:
            self._kept.popitem(last=False)
        return kept

    async def _render(self, view: View, version: Version, *, first: bool) -> Rendered:
        # a small service needs no helper until something changes; then it does all, and the boards
        # that are loaded are there
        if not self._helper or (first and self._executor is None):
            return await asyncio.to_thread(self._workroom.render, view, version)
        if self._executor is None:
            self._executor = helper_process(self._workroom.settings)
            self._workroom.kept.clear()
        try:
            loop = asyncio.get_running_loop()
            made = await loop.run_in_executor(self._executor, render_in_helper, view, version)
        except BrokenExecutor:
            _LOG.exception("the process that renders pages is gone; the next view gets a new one")
            self._executor = None
            return await asyncio.to_thread(self._workroom.render, view, version)
        if isinstance(made, ServerError):
            raise made
        return made

    def _version(self, view: View) -> tuple[Version, Version]:
        with self._workroom.database.reading() as session:
            return version_of(session), _own_version(session, view)


def _own_version(session: Session, view: View) -> Version:
    found = match(view.path)
    own = VERSIONS.get(found[0]) if found else None
    return own(session, found[1]) if found and own else ()


def version_of(session: Session) -> Version:
    """Changes whenever something is added that boards show: their tables only ever grow."""
    counts = (select(func.count()).select_from(table).scalar_subquery() for table in _COUNTED)
    closing = select(func.max(Board.closes_at)).scalar_subquery()
    row = session.execute(select(*counts, closing)).one()
    return (*row, *(suite_sha256(scale) for scale in SCALES))
