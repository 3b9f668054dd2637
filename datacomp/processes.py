"""Worker processes that do not outlive the one that started them."""

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """To be called first in a worker: die silently at ^C, and as soon as the parent is gone.

    A spawned worker whose parent was killed would otherwise finish its task and wait for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = parent_process()
    assert parent is not None, "only workers are initialised"

    def end() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
