"""What an organiser can set: from arguments, else from `DATACOMP_SERVER_*`, else the default."""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from datacomp_server.jobs.costs import COSTS, Cost, costs_with

MIB = 1024 * 1024
GIB = 1024 * MIB
DAY = 24 * 3600


class Settings(BaseSettings):
    """Settings of one service; frozen, and passed explicitly to everything that needs them."""

    model_config = SettingsConfigDict(env_prefix="DATACOMP_SERVER_", frozen=True, extra="forbid")

    data_dir: Path = Field(
        default=Path("service"), description="Folder of the database and the artifacts."
    )
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL; default: a SQLite file in data_dir."
    )
    max_body_bytes: int = Field(
        default=4 * MIB, ge=1024, description="Largest request body that is read."
    )
    artifacts_url: str | None = Field(
        default=None,
        description="Object store of the artifacts, s3://bucket/prefix; default: in data_dir.",
    )
    max_artifact_bytes: int = Field(
        default=8 * GIB, ge=1024, description="Largest file that may be uploaded."
    )
    team_quota_bytes: int = Field(
        default=64 * GIB, ge=1024, description="Bytes of uploads that a team may hold."
    )
    job_quota_bytes: int = Field(
        default=64 * GIB, ge=1024, description="Bytes that a worker may upload for one job."
    )
    upload_seconds: int = Field(
        default=24 * 3600, ge=60, description="Seconds an upload may rest before it is dropped."
    )
    lease_seconds: int = Field(
        default=300, ge=1, description="How long a worker may be silent before its job is taken."
    )
    beat_seconds: int = Field(
        default=60, ge=1, description="How often a worker is asked to say that it lives."
    )
    retry_seconds: int = Field(
        default=30, ge=0, description="Wait before a second attempt; doubles with each one."
    )
    job_costs: dict[str, Cost] = Field(
        default_factory=lambda: dict(COSTS),
        description="Worker seconds that a team pays for a job, as JSON: "
        '{"tiny": {"filter": 600, "train": 300, "evaluate": 120}}; what is not named stays.',
    )
    team_running_jobs: int = Field(
        default=2, ge=1, description="Jobs of one team that may run at the same time."
    )
    max_log_bytes: int = Field(
        default=4 * MIB, ge=1024, description="What is kept of the log of one attempt."
    )
    board_seconds: float = Field(
        default=1.0,
        ge=0,
        description="How old a board, or the queue, may be before it is made anew, in seconds; "
        "0: never old.",
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="Form of the log's lines on standard error."
    )
    stop_seconds: int = Field(
        default=30,
        ge=1,
        description="How long requests on their way, then a job, may take to end on SIGTERM.",
    )
    run_jobs: bool = Field(
        default=True, description="Whether this process also does the service's own jobs."
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#]+$",
        description="Address that browsers use, such as https://datacomp.example; needed behind "
        "a proxy that changes the Host header, and for sign-in by a provider.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses and networks of own proxies, comma-separated: their "
        "X-Forwarded-For and X-Forwarded-Proto are believed, nobody else's.",
    )
    address_requests_per_minute: int = Field(
        default=1200, ge=1, description="Requests of one address without a good token."
    )
    token_requests_per_minute: int = Field(default=1200, ge=1, description="Requests of one token.")
    sign_ins_per_minute: int = Field(
        default=10, ge=1, description="Tries of one address to sign in, register or join."
    )
    registration: Literal["open", "invite", "closed"] = Field(
        default="open",
        description="Who may register and found a team by web: anybody; whoever has a team's "
        "invite (and nobody founds); nobody. Organisers always can, by datacomp admin.",
    )
    teams_per_account: int = Field(
        default=3, ge=1, description="Teams that one account may own at a time."
    )
    session_days: int = Field(default=14, ge=1, description="Days that a browser stays signed in.")
    oidc_issuer: str | None = Field(
        default=None,
        description="Address of an OpenID Connect provider to sign in by; needs oidc_client_id "
        "and public_url.",
    )
    oidc_client_id: str | None = Field(default=None, description="Our name at the provider.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Our secret at the provider, if it gave one."
    )
    oidc_label: str = Field(
        default="your institution", description='Sign-in page: "Sign in with ...".'
    )

    @field_validator("job_costs", mode="before")
    @classmethod
    def _all_costs(cls, value: object) -> object:
        return costs_with(value) if isinstance(value, Mapping) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            ip_network(part)
        return value

    @model_validator(mode="after")
    def _provider_is_whole(self) -> "Settings":
        if self.oidc_issuer and not (self.oidc_client_id and self.public_url):
            raise ValueError("oidc_issuer needs oidc_client_id and public_url")
        if self.oidc_issuer and not _is_private(self.oidc_issuer):
            raise ValueError("oidc_issuer must be an https:// address")
        return self

    upload_grace_seconds: int = Field(
        default=2 * DAY, ge=0, description="How long after its manifest files may still come."
    )
    default_submissions: int = Field(
        default=1000, ge=0, description="Submissions that a new board grants each team."
    )
    default_compute_seconds: int = Field(
        default=7 * DAY, ge=0, description="Worker seconds that a new board grants each team."
    )

    @property
    def url(self) -> str:
        """The database's URL."""
        if self.database_url is not None:
            return self.database_url
        return f"sqlite:///{(self.data_dir / 'datacomp.sqlite').resolve()}"

    @property
    def uploads_dir(self) -> Path:
        """Folder of uploads on their way, and of local copies of artifacts in use."""
        return self.data_dir / "uploads"

    @property
    def exports_dir(self) -> Path:
        """Folder of the nightly exports, one folder a day."""
        return self.data_dir / "exports"

    @property
    def artifacts_dir(self) -> Path:
        """Folder of the content-addressed files."""
        return self.data_dir / "artifacts"


def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")
