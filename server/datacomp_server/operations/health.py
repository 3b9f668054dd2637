"""Whether the service can do its work: database, schema, artifact store, disk."""

import os
import shutil
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from datacomp_server.context import Context
from datacomp_server.kit.errors import NotFound
from datacomp_server.migrations import newest_revision, revision_of

_NOTHING = "0" * 64  # a store that answers says that it has no such content
_LOOK_SECONDS = 1.0
LEAST_FREE_BYTES = 512 * 1024 * 1024


class Health:
    """What is wrong with a service, looked for at most once a second however many ask.

    Nobody waits for another's look: of a store that hangs, all but one are told what was found
    last, so that those who ask without end take no more than one of the server's threads.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._looking = threading.Lock()
        self._looked_at: float | None = None
        self._found: dict[str, str] = {"service": "has only just begun to look"}

    def problems(self) -> dict[str, str]:
        """What is wrong, by the part that is; empty if all is well."""
        if self._looking.acquire(blocking=False):
            try:
                moment = self._context.clock().timestamp()
                if self._looked_at is None or not 0 <= moment - self._looked_at < _LOOK_SECONDS:
                    self._found = problems(self._context)
                    self._looked_at = moment
            finally:
                self._looking.release()
        return self._found


def problems(context: Context) -> dict[str, str]:
    """What is wrong, by the part that is; empty if all is well. Names no address or path."""
    checks: dict[str, Callable[[Context], str | None]] = {
        "database": _database,
        "artifacts": _artifacts,
        "disk": _disk,
    }
    found = {name: check(context) for name, check in checks.items()}
    return {name: problem for name, problem in found.items() if problem}


def _database(context: Context) -> str | None:
    try:
        with context.database.reading() as session:
            here, newest = revision_of(session.connection()), newest_revision()
    except (SQLAlchemyError, OSError) as error:
        return f"does not answer ({type(error).__name__})"
    if here != newest:
        return f"its schema is at {here}, this version's at {newest}; restart the service"
    return None


def _artifacts(context: Context) -> str | None:
    try:
        context.artifacts.size(_NOTHING)
    except NotFound:
        return None
    except Exception as error:  # whatever the store's library raises
        return f"do not answer ({type(error).__name__})"
    return None


def _disk(context: Context) -> str | None:
    folder = context.settings.data_dir
    if not os.access(folder, os.W_OK):
        return "the data folder cannot be written to"
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        least = LEAST_FREE_BYTES // 2**20
        return f"{free // 2**20} MiB free in the data folder, at least {least} MiB are needed"
    return None
