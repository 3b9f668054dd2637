"""Signing keys and attestations over the API."""

from collections.abc import Mapping
from typing import Any

from datacomp.client.connection import Connection
from datacomp.files import sha256_json
from datacomp.submission.attestation import PrivateKey, key_statement, submission_statement
from datacomp.submission.kept_keys import KeptKey
from datacomp.submission.manifest import Manifest


def register_key(connection: Connection, key: PrivateKey, *, team: str, name: str) -> KeptKey:
    """Register the public half of a key for the connection's team, and prove to hold it."""
    proof = key.sign(key_statement(key.public, "team", team))
    body = {"name": name, "public_key": key.public, "proof": proof}
    return KeptKey(connection.read("register_key", json=body)["id"], key)


def list_keys(connection: Connection) -> list[dict[str, Any]]:
    """The keys of the connection's team, as the API shows them, oldest first."""
    found: list[dict[str, Any]] = connection.read("list_keys")["keys"]
    return found


def revoke_key(connection: Connection, key_id: str) -> None:
    """End a key; what it signed before stays."""
    connection.call("revoke_key", key_id=key_id)


def attest(
    connection: Connection,
    kept: KeptKey,
    submission_id: str,
    *,
    report_sha256: str | None,
    files: Mapping[str, str],
) -> None:
    """Sign a submission that stands: its report's hash and each file's, by role."""
    statement = submission_statement(
        key_id=kept.id, submission_id=submission_id, report_sha256=report_sha256, files=files
    )
    body = {"key_id": kept.id, "signature": kept.key.sign(statement)}
    connection.call("attest_submission", submission_id=submission_id, json=body)


def attest_manifest(
    connection: Connection, kept: KeptKey, submission_id: str, manifest: Manifest
) -> None:
    """Sign what a manifest declared, once it stands."""
    report = None if manifest.report is None else sha256_json(manifest.report)
    files: dict[str, str] = {file.role: file.sha256 for file in manifest.files}
    attest(connection, kept, submission_id, report_sha256=report, files=files)
