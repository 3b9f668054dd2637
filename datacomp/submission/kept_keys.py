"""The user's signing key of each service: a file beside the tokens, for the user alone."""

import json
from dataclasses import dataclass
from pathlib import Path

from datacomp.credentials import private_file, write_private
from datacomp.errors import UsageError
from datacomp.submission.attestation import PrivateKey


@dataclass(frozen=True)
class KeptKey:
    """A private key and the id that the service gave to its public half."""

    id: str
    key: PrivateKey


def keep_key(url: str, kept: KeptKey) -> Path:
    """Keep a key for a service's address, instead of what was kept; returns the file."""
    path = private_file("keys", url)
    write_private(path, {"id": kept.id, "secret": kept.key.secret})
    return path


def kept_key(url: str) -> KeptKey | None:
    """The key that is kept for an address; `UsageError` if the file is not ours."""
    path = private_file("keys", url)
    try:
        value = json.loads(path.read_text())
        return KeptKey(str(value["id"]), PrivateKey(str(value["secret"])))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no key: remove it, then run datacomp key new") from error


def key_for(url: str) -> KeptKey:
    """The key that is kept for an address; `UsageError` with the remedy if there is none."""
    found = kept_key(url)
    if found is None:
        raise UsageError(f"no signing key for {url}: make one with datacomp key new")
    return found
