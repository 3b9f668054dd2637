"""What the routes of one service share; made once, handed to them by FastAPI."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.kit.db import Database
from datacomp_server.settings import Settings


@dataclass(frozen=True)
class Context:
    """One open service."""

    settings: Settings
    database: Database
    artifacts: ArtifactStore


def open_context(settings: Settings) -> Context:
    """Open database and artifacts, creating and migrating what is not there yet."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url)
    database.migrate()
    store = ArtifactStore(settings.artifacts_dir, limit=settings.max_artifact_bytes)
    return Context(settings, database, store)


def get_context(request: Request) -> Context:
    """The context of the application that serves `request`."""
    return cast(Context, request.app.state.context)
