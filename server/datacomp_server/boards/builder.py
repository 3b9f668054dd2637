"""A helper process that renders boards, so that the service's own keeps answering meanwhile.

It reads the database, writes nothing, and ends with the service, however that ends.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor

from datacomp_server.boards.rendering import Rendered, View, render_view
from datacomp_server.kit.db import Database

_NICE = 10  # who asks goes before what is made for those who ask later
_database: Database | None = None  # the helper's own; there is none in the service's process


def helper_process(url: str) -> Executor:
    """The helper for the database at `url`; starts with the first thing that it is asked."""
    return ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), initializer=_open, initargs=(url,)
    )


def render_in_helper(view: View) -> Rendered:
    """`render_view`, run in the helper."""
    assert _database is not None
    with _database.reading() as session:
        return render_view(session, view)


def _open(url: str) -> None:
    global _database
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends us
    os.nice(_NICE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from datacomp_server import tables  # noqa: F401  # completes the metadata

    _database = Database(url)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
