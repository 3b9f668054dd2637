"""Signals by which a queue asks a run to stop: SIGTERM, and SIGUSR1 for those that warn earlier."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopRequest:
    """Whether somebody asked a run to stop. Asking twice is asking once."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, *_: object) -> None:
        """Ask; also a signal handler."""
        self.asked = True


@contextmanager
def stop_signals(listen: bool = True) -> Iterator[StopRequest]:
    """Within this context a stop signal does nothing but ask; afterwards it does what it did.

    Python lets only the main thread receive signals: in another one, and without `listen`, nothing
    is changed, and nobody asks. To be held for no longer than somebody looks: a process that waits
    for others does not end at SIGTERM.
    """
    request = StopRequest()
    if not listen or threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.ask) for number in STOP_SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            # None: a handler that Python did not install and cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
