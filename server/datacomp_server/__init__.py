"""The competition's service: takes reports in, checks them, and shows the board."""

from datacomp_server.running import (
    RunningService,
    create_token,
    list_tokens,
    revoke_token,
    run_in_thread,
    serve,
)
from datacomp_server.settings import Settings

__all__ = [
    "RunningService",
    "Settings",
    "create_token",
    "list_tokens",
    "revoke_token",
    "run_in_thread",
    "serve",
]
