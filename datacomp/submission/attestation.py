"""Ed25519 signatures of what a team handed in, or of what a worker made.

A statement is a JSON object that names the signing key (an id that one service gave to one team
or worker) and every hash that the signature stands for. It is signed as canonical JSON, so that a
signature says nothing of any other submission, file, team or service. Anyone who has the
statement, the signature and the public key can check it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from datacomp.errors import UsageError
from datacomp.files import canonical_json

SCHEMA = "datacomp-attestation/1"
_KEY = re.compile(r"[0-9a-f]{64}")


class Attestation(BaseModel):
    """A signature and the key that made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_id: str = Field(pattern=r"^[0-9A-Z]{26}$", max_length=26)
    signature: str = Field(
        pattern=r"^[0-9a-f]{128}$", max_length=128, description="Ed25519, 64 bytes as hex."
    )


@dataclass(frozen=True)
class PrivateKey:
    """A private key: 32 bytes as hex, never shown and never sent."""

    secret: str

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public[:12]})"

    @classmethod
    def generate(cls) -> "PrivateKey":
        """A new key from the system's randomness."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate().private_bytes_raw().hex())

    @property
    def public(self) -> str:
        """The public key, 32 bytes as hex."""
        public: str = _private(self.secret).public_key().public_bytes_raw().hex()
        return public

    def sign(self, statement: Mapping[str, Any]) -> str:
        """The signature of a statement, 64 bytes as hex."""
        signature: str = _private(self.secret).sign(canonical_json(dict(statement))).hex()
        return signature


def submission_statement(
    *,
    key_id: str,
    submission_id: str,
    report_sha256: str | None,
    files: Mapping[str, str],
) -> dict[str, Any]:
    """What a team signs of a submission: the report's hash, and each file's by its role."""
    return {
        "schema": SCHEMA,
        "of": "submission",
        "key_id": key_id,
        "submission_id": submission_id,
        "report_sha256": report_sha256,
        "files": dict(files),
    }


def result_statement(*, key_id: str, lease_id: str, files: Mapping[str, str]) -> dict[str, Any]:
    """What a worker signs when it finishes a job: each output's hash by its role."""
    return {
        "schema": SCHEMA,
        "of": "result",
        "key_id": key_id,
        "lease_id": lease_id,
        "files": dict(files),
    }


def key_statement(public_key: str, holder: Literal["team", "worker"], name: str) -> dict[str, Any]:
    """What a key signs when it is registered: that its holder has it, under that name."""
    return {"schema": SCHEMA, "of": "key", "public_key": public_key, holder: name}


def is_signed(statement: Mapping[str, Any], signature: str, public_key: str) -> bool:
    """Whether `signature` (hex) is that key's (hex) of that statement; anything odd is False."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not _KEY.fullmatch(public_key):
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), canonical_json(dict(statement)))
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(secret: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not _KEY.fullmatch(secret):
        raise UsageError("not a private key: expected 32 bytes as 64 hex digits")
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
