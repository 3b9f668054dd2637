"""Tokens over the API: get one for a password, ask who it is, end it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datacomp.client.connection import Connection


@dataclass(frozen=True)
class NewToken:
    """A token that was made just now; `token` is its text, which nobody can show again."""

    id: str
    token: str
    actor: str
    expires_at: datetime


@dataclass(frozen=True)
class Identity:
    """Whom a token speaks for: "team:Alpha", "worker:gpu-03" or "organiser:Ada"."""

    actor: str
    scopes: tuple[str, ...]
    token_id: str
    expires_at: datetime | None


def sign_in(
    connection: Connection,
    account: str,
    password: str,
    *,
    team: str | None = None,
    name: str,
    days: int,
    scopes: Sequence[str] | None = None,
) -> NewToken:
    """A new token for an account's name and password.

    `UnauthorisedError` if they are wrong, `RefusedError` if the team must be named or is none.
    """
    body: dict[str, Any] = {"account": account, "password": password, "name": name, "days": days}
    body |= {"team": team, "scopes": None if scopes is None else list(scopes)}
    made = connection.read("create_token", json=body)
    expires_at = datetime.fromisoformat(made["expires_at"])
    return NewToken(made["id"], made["token"], made["owner"], expires_at)


def who_am_i(connection: Connection) -> Identity:
    """Whom the connection's token speaks for; `UnauthorisedError` if it is not good."""
    found = connection.read("get_caller")
    ends = found["expires_at"]
    expires_at = None if ends is None else datetime.fromisoformat(ends)
    return Identity(found["actor"], tuple(found["scopes"]), found["token_id"], expires_at)


def revoke(connection: Connection, token_id: str) -> None:
    """End the connection's own token; an organiser's connection ends any."""
    connection.call("revoke_token", token_id=token_id)
