"""Backup of everything: each table as lines of JSON, and the artifacts; while the service runs.

One transaction reads all tables as they were at one moment. The form is the same from SQLite and
from Postgres, and `restore` reads it into either, so that this is also the way from one to the
other. A backup holds hashes of passwords and tokens: only its owner can read it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from datacomp import __version__
from datacomp.errors import ServiceError
from datacomp.events import instant
from datacomp_server.artifacts.models import Artifact
from datacomp_server.artifacts.store import ArtifactStore, key_of
from datacomp_server.audit import service as audit
from datacomp_server.audit.folders import FolderWriter, new_folder
from datacomp_server.audit.rows import as_line, rows_of
from datacomp_server.context import Context
from datacomp_server.kit.db import Base
from datacomp_server.kit.errors import NotFound
from datacomp_server.migrations import revision_of

SCHEMA = "datacomp-backup/1"
_SHOWN = 5


@dataclass(frozen=True)
class BackupInfo:
    """What a backup holds; `head` is that of the event chain."""

    folder: Path
    n_rows: int
    n_artifacts: int
    head: str


def backup(
    context: Context, target: Path, *, moment: datetime, with_artifacts: bool = True
) -> BackupInfo:
    """Write a backup to a new folder.

    `UsageError` if the folder is there already, `ServiceError` if an artifact is missing or is
    not what its name says. Without artifacts, keep a copy of the store in another way.
    """
    with new_folder(target, schema=SCHEMA, private=True) as (writer, facts):
        with context.database.reading() as session:
            counts = {
                table.name: _write_table(session, writer, table)
                for table in Base.metadata.sorted_tables
            }
            check = audit.verify(session)
            hashes = session.scalars(select(Artifact.sha256).order_by(Artifact.sha256)).all()
            revision = revision_of(session.connection())
        if with_artifacts:
            _copy_artifacts(context.artifacts, writer, hashes)
        facts |= {
            "created_at": instant(moment),
            "version": __version__,
            "revision": revision,
            "head": str(check.head),
            "rows": counts,
            "with_artifacts": with_artifacts,
        }
    n_artifacts = len(hashes) if with_artifacts else 0
    return BackupInfo(target, sum(counts.values()), n_artifacts, str(check.head))


def table_file(table: Table) -> str:
    """Where the rows of a table are in a backup."""
    return f"tables/{table.name}.jsonl"


def artifact_file(sha256: str) -> str:
    """Where an artifact is in a backup."""
    return f"artifacts/{key_of(sha256)}"


def _write_table(session: Session, writer: FolderWriter, table: Table) -> int:
    n = 0

    def lines() -> Iterator[bytes]:
        nonlocal n
        for row in rows_of(session, table):
            n += 1
            yield as_line(row)

    writer.write(table_file(table), lines())
    return n


def _copy_artifacts(store: ArtifactStore, writer: FolderWriter, hashes: Sequence[str]) -> None:
    wrong = []
    for sha256 in hashes:
        try:
            with store.open(sha256) as source:
                found = writer.copy(artifact_file(sha256), source)
        except NotFound:
            found = "missing"
        if found != sha256:
            wrong.append(sha256)
    if wrong:
        shown = ", ".join(wrong[:_SHOWN]) + (", ..." if len(wrong) > _SHOWN else "")
        raise ServiceError(
            f"{len(wrong)} of {len(hashes)} artifacts are missing or not what their names say: "
            f"{shown}. No backup was made; bring them back from an older one, or back up the "
            "database alone with --database-only."
        )
