"""Running the service: in the foreground for `datacomp serve`, in a thread for demo and tests."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from datacomp.errors import ServiceError, UsageError
from datacomp_server.app import create_app
from datacomp_server.context import Context, open_context
from datacomp_server.identity import service as identity
from datacomp_server.kit import logs
from datacomp_server.kit.errors import ServerError
from datacomp_server.settings import Settings

_START_SECONDS = 60.0
# How long the event loop, which answers the readers of boards, waits for a thread that computes to
# let go of the interpreter; Python's own 5 ms add up over the turns that one answer takes.
_SWITCH_SECONDS = 0.001


@dataclass(frozen=True)
class RunningService:
    """A service that answers; `stop` ends it and returns when it has ended."""

    url: str
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        """Stop serving; a second call does nothing."""
        self.server.should_exit = True
        self.thread.join()


def serve(settings: Settings, *, host: str, port: int, announce: Callable[[int], None]) -> None:
    """Serve until interrupted; `ServiceError` if the address is taken.

    `announce` gets the port as soon as it is held: with port 0, a free one.
    On SIGTERM or SIGINT nothing new is accepted; requests on their way, then the job in hand, get
    `stop_seconds` each to end.
    """
    logs.configure(settings.log_format)
    sys.setswitchinterval(_SWITCH_SECONDS)
    with _bound(host, port) as listener:
        announce(listener.getsockname()[1])
        config = uvicorn.Config(
            create_app(open_context(settings, helper=True)),
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=settings.stop_seconds,
        )
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def run_in_thread(
    settings: Settings, *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[RunningService]:
    """Serve in a thread of this process; port 0 picks a free one. Answers when it yields."""
    with _bound(host, port) as listener:
        address, bound_port = listener.getsockname()[:2]
        config = uvicorn.Config(
            create_app(open_context(settings)),
            log_level="warning",
            log_config=None,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="datacomp-service", daemon=True
        )
        running = RunningService(f"http://{address}:{bound_port}", server, thread)
        thread.start()
        try:
            _wait(running)
            yield running
        finally:
            running.stop()


@contextmanager
def opened(settings: Settings) -> Iterator[Context]:
    """The service's database and artifacts, for commands that work beside a running service.

    What the service would refuse a caller becomes a `UsageError`.
    """
    context = open_context(settings)
    try:
        yield context
    except ServerError as error:
        raise UsageError(error.detail) from error
    finally:
        context.close()


def create_token(settings: Settings, team: str, *, name: str = "default") -> str:
    """A new token of `team`, made directly in the database; the team is founded if need be."""
    with opened(settings) as context, context.database.writing() as session:
        return identity.create_token(session, team, name=name, moment=context.clock())


def list_tokens(settings: Settings) -> list[identity.TokenInfo]:
    """Every token of a service, without its text."""
    with opened(settings) as context, context.database.reading() as session:
        return identity.list_tokens(session)


def revoke_token(settings: Settings, token_id: str) -> None:
    """End a token for good; `UsageError` if there is none of that id."""
    with opened(settings) as context, context.database.writing() as session:
        identity.revoke_token(session, token_id, moment=context.clock())


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # For its connections, too. Head and body are sent apart: otherwise the end of the body waits,
    # for up to 40 ms, until the reader has acknowledged the head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ServiceError(
            f"cannot listen on {host}:{port}: {error.strerror}. Choose another with --port."
        ) from error
    return listener


def _wait(running: RunningService) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not running.server.started:
        if not running.thread.is_alive() or time.monotonic() > deadline:
            raise ServiceError(f"the service did not start at {running.url}; see the log")
        time.sleep(0.01)
