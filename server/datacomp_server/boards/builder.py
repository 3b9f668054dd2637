"""A helper process that renders pages, so that the service's own keeps answering meanwhile.

It reads the database, writes nothing, and ends with the service, however that ends.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor

from datacomp_server.boards.data import Version
from datacomp_server.boards.made import View
from datacomp_server.boards.rendering import Rendered, Workroom
from datacomp_server.kit.db import Database
from datacomp_server.kit.errors import ServerError
from datacomp_server.settings import Settings

_NICE = 10  # who asks goes before what is made for those who ask later
_workroom: Workroom | None = None  # the helper's own; there is none in the service's process


def helper_process(settings: Settings) -> Executor:
    """The helper of the service of these settings; starts with the first thing it is asked."""
    return ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), initializer=_open, initargs=(settings,)
    )


def render_in_helper(view: View, version: Version) -> Rendered | ServerError:
    """`Workroom.render`, run in the helper; what a visitor did wrong comes as a value."""
    assert _workroom is not None
    try:
        return _workroom.render(view, version)
    except ServerError as error:
        return error.with_traceback(None)


def _open(settings: Settings) -> None:
    global _workroom
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends us
    os.nice(_NICE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from datacomp_server.context import open_store  # completes the metadata, too

    _workroom = Workroom(Database(settings.url), open_store(settings), settings)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
