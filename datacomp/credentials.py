"""The user's tokens: one file for each service's address, readable by the user alone.

They lie in the user's configuration folder ($XDG_CONFIG_HOME/datacomp/tokens, by default
~/.config/datacomp/tokens), and signing keys beside them. A token is only ever sent to the address
that it was stored for.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from datacomp.errors import UsageError

TOKEN_VARIABLE = "DATACOMP_TOKEN"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Credential:
    """A token, where it goes, and whom it speaks for ("team:Alpha")."""

    url: str
    token: str
    actor: str


def token_for(url: str, given: str | None) -> str:
    """The token for a service: the given one, else $DATACOMP_TOKEN, else that of datacomp login.

    `UsageError` if there is none.
    """
    if given is not None:
        return given
    if TOKEN_VARIABLE in os.environ:
        return os.environ[TOKEN_VARIABLE]
    stored = read(url)
    if stored is None:
        raise UsageError(
            f"no token for {url}: run datacomp login, give --token, or set {TOKEN_VARIABLE}"
        )
    return stored.token


def store(credential: Credential) -> Path:
    """Keep a credential for its address, instead of what was kept; returns the file."""
    path = private_file("tokens", credential.url)
    write_private(path, {"token": credential.token, "actor": credential.actor})
    return path


def write_private(path: Path, value: Mapping[str, str]) -> None:
    """Write JSON that the user alone can read, from its first byte on; atomic."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".{secrets.token_hex(8)}.tmp")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(dict(value), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def read(url: str) -> Credential | None:
    """What is kept for an address; `UsageError` if the file is not ours."""
    path = private_file("tokens", url)
    try:
        value = json.loads(path.read_text())
        return Credential(url, str(value["token"]), str(value["actor"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no token: remove it, then run datacomp login") from error


def forget(url: str) -> None:
    """Remove what is kept for an address, if anything is."""
    private_file("tokens", url).unlink(missing_ok=True)


def origin_of(url: str) -> str:
    """The address without what does not tell services apart: case, default port, last slash."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not an address: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise UsageError(f"{url!r} is not an address: expected http://HOST or https://HOST")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    suffix = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}{parts.path.rstrip('/')}"


def is_private(url: str) -> bool:
    """Whether nobody on the way can read along: HTTPS, or this very machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")


def private_file(kind: str, url: str) -> Path:
    """Where the user's `kind` (tokens, keys) of a service's address is kept."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "datacomp" / kind / f"{quote(origin_of(url), safe='')}.json"
