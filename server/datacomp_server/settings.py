"""What an organiser can set: from arguments, else from `DATACOMP_SERVER_*`, else the default."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


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
    max_artifact_bytes: int = Field(
        default=64 * MIB, ge=1024, description="Largest artifact that is stored."
    )

    @property
    def url(self) -> str:
        """The database's URL."""
        if self.database_url is not None:
            return self.database_url
        return f"sqlite:///{(self.data_dir / 'datacomp.sqlite').resolve()}"

    @property
    def artifacts_dir(self) -> Path:
        """Folder of the content-addressed files."""
        return self.data_dir / "artifacts"
