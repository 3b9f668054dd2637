"""What goes in and out of the routes of keys, evidence and audits."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from datacomp.submission.levels import Level
from datacomp_server.submissions.models import Result
from datacomp_server.verification.models import AuditRound, Evidence, SigningKey
from datacomp_server.verification.service import Standing

_PUBLIC_KEY = r"^[0-9a-f]{64}$"
_SIGNATURE = r"^[0-9a-f]{128}$"


class _In(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    public_key: str = Field(
        pattern=_PUBLIC_KEY, max_length=64, description="Ed25519, 32 bytes as hex."
    )
    proof: str = Field(
        pattern=_SIGNATURE,
        max_length=128,
        description="The key's signature of its own registration, 64 bytes as hex.",
    )


class KeyIn(_In):
    """A team's key to register."""

    name: str = Field(description="What to call it in lists, 1 to 60 characters.")


class WorkerKeyIn(_In):
    """A worker's key to register."""

    worker: str = Field(max_length=60, description="The worker's name, as it asks for jobs.")


class KeyOut(BaseModel):
    """A registered public key."""

    id: str
    name: str
    public_key: str
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: SigningKey) -> "KeyOut":
        """The key as the API shows it."""
        return cls(**{name: getattr(key, name) for name in cls.model_fields})


class KeysOut(BaseModel):
    """Keys, oldest first."""

    keys: list[KeyOut]


class EvidenceOut(BaseModel):
    """One fact for or against a submission's numbers."""

    kind: str = Field(
        description="report, attestation, evaluation, training or contradiction.",
    )
    at: datetime
    key_id: str | None
    worker: str | None
    facts: dict[str, Any]

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceOut":
        """The evidence as the API shows it."""
        names = ("kind", "key_id", "worker", "facts")
        return cls(at=evidence.created_at, **{name: getattr(evidence, name) for name in names})


class StandingOut(BaseModel):
    """How far a submission was verified, and by what."""

    level: str = Field(description="reported, attested, re-evaluated, re-trained or reproduced.")
    meaning: str
    capped: bool = Field(description="Something speaks against it that nobody has dismissed.")
    evidence: list[EvidenceOut]
    same_numbers: list[str] = Field(description="Other submissions with the very same numbers.")

    @classmethod
    def of(cls, standing: Standing) -> "StandingOut":
        """The standing as the API shows it."""
        level: Level = standing.level
        return cls(
            level=level.label,
            meaning=level.meaning,
            capped=standing.capped,
            evidence=[EvidenceOut.of(one) for one in standing.evidence],
            same_numbers=[twin.id for twin in standing.twins],
        )


class ResultOut(BaseModel):
    """One report with numbers."""

    id: str
    source: str = Field(
        description="Whose: reported by the team, or by a worker that evaluated the submitted "
        "weights (evaluated) or weights that it trained on the submitted subset (trained)."
    )
    seed: int
    average: float | None
    average_stderr: float | None
    suite_sha256: str
    recipe_id: str
    subset_sha256: str
    checkpoint_sha256: str | None
    report_sha256: str
    job_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, result: Result) -> "ResultOut":
        """The result as the API shows it."""
        return cls(**{name: getattr(result, name) for name in cls.model_fields})


class ResultsOut(BaseModel):
    """Results of a submission: its team's own first, then the workers', oldest first."""

    results: list[ResultOut]


class AuditOut(BaseModel):
    """A random draw of submissions to verify. `seed` and `chosen` are null until it is drawn."""

    id: str
    board_id: str
    commitment: str = Field(description="sha256 of the seed's 64 hex digits.")
    share: float
    created_at: datetime
    drawn_at: datetime | None
    seed: str | None
    chosen: list[str] | None

    @classmethod
    def of(cls, audit: AuditRound) -> "AuditOut":
        """The round as the API shows it."""
        return cls(**{name: getattr(audit, name) for name in cls.model_fields})


class AuditsOut(BaseModel):
    """Audit rounds, oldest first."""

    rounds: list[AuditOut]
