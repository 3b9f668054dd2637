"""The seeds of audits until they are drawn: a file each, in the service's folder, for it alone."""

from pathlib import Path

from datacomp.files import write_bytes
from datacomp_server.settings import Settings


def file_of(settings: Settings, round_id: str) -> Path:
    """Where the seed of a round lies."""
    return settings.data_dir / "audit-seeds" / f"{round_id}.txt"


def keep(settings: Settings, round_id: str, seed: str) -> Path:
    """Write a seed down; returns where."""
    path = file_of(settings, round_id)
    write_bytes(path, seed.encode())
    path.chmod(0o600)
    return path


def kept(settings: Settings, round_id: str) -> str | None:
    """The seed of a round; None if it is not here."""
    path = file_of(settings, round_id)
    return path.read_text() if path.is_file() else None
