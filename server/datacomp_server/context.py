"""What the routes of one service share; made once, handed to them by FastAPI."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from anyio import CapacityLimiter
from starlette.requests import Request

from datacomp_server import tables  # noqa: F401  # completes the metadata
from datacomp_server.artifacts.object_store import ObjectStore
from datacomp_server.artifacts.parts import Parts
from datacomp_server.artifacts.store import ArtifactStore, FolderStore
from datacomp_server.boards.opening import open_current_boards
from datacomp_server.boards.rendering import Workroom
from datacomp_server.boards.snapshots import Snapshots
from datacomp_server.identity.provider import Provider
from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Database
from datacomp_server.kit.limits import Limiter
from datacomp_server.settings import Settings

# They take turns at the database's write lock; more would only fight the event loop, which answers
# the readers, for the interpreter.
INTAKE_THREADS = 2


@dataclass(frozen=True)
class Context:
    """One open service; `clock` is the only time that counts, `intake` are the threads that
    manifests are taken in by.
    """

    settings: Settings
    database: Database
    artifacts: ArtifactStore
    parts: Parts
    clock: Callable[[], datetime]
    limiter: Limiter
    intake: CapacityLimiter
    provider: Provider | None
    snapshots: Snapshots

    def close(self) -> None:
        """Close what was opened."""
        self.snapshots.close()
        if self.provider is not None:
            self.provider.close()
        self.database.close()


def open_context(
    settings: Settings, *, clock: Callable[[], datetime] = now, helper: bool = False
) -> Context:
    """Open database and artifacts, creating and migrating what is not there yet.

    Every scale has a board of the filtering track for the newest version of its suite. `helper`:
    whether boards are rendered in a process of their own.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url)
    database.migrate()
    with database.writing() as session:
        open_current_boards(session, settings, clock())
    store, parts = open_store(settings), Parts(settings.uploads_dir)
    limiter, provider = Limiter(clock), Provider.of(settings)
    intake = CapacityLimiter(INTAKE_THREADS)
    workroom = Workroom(database, store, settings, clock)
    snapshots = Snapshots(workroom, seconds=settings.board_seconds, helper=helper)
    return Context(settings, database, store, parts, clock, limiter, intake, provider, snapshots)


def open_store(settings: Settings) -> ArtifactStore:
    """Where the settings say that artifacts lie."""
    if settings.artifacts_url is None:
        return FolderStore(settings.artifacts_dir)
    return ObjectStore(settings.artifacts_url, scratch=settings.uploads_dir)


async def get_context(request: Request) -> Context:
    """The context of the application that serves `request`."""
    return cast(Context, request.app.state.context)
