"""A backup back into an empty service, on SQLite or Postgres, in a folder or an object store."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp.errors import ServiceError, UsageError
from datacomp.events import parse_head
from datacomp.files import sha256_file
from datacomp_server.artifacts.models import Artifact
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.audit import service as audit
from datacomp_server.audit.backup import SCHEMA, BackupInfo, table_file
from datacomp_server.audit.folders import check_files, read_manifest
from datacomp_server.audit.rows import add_rows
from datacomp_server.context import open_store
from datacomp_server.kit.db import Base, Database
from datacomp_server.migrations import revision_of
from datacomp_server.settings import Settings

_SHOWN = 5


def restore(settings: Settings, source: Path) -> BackupInfo:
    """Read a backup into the empty service of `settings`: the artifacts, then all rows or none.

    Every file is checked against the manifest first, the chain of events afterwards.
    `UsageError` if the service holds anything, if the backup is of another schema version, or is
    damaged.
    """
    manifest = read_manifest(source, SCHEMA)
    problems = check_files(source, manifest)
    if problems:
        shown = "; ".join(problems[:_SHOWN])
        raise UsageError(f"{source} is damaged in {len(problems)} places: {shown}")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url)
    try:
        database.migrate()
        with database.reading() as session:
            _demand_same_revision(session, manifest, source)
            _demand_empty(session)
        n_artifacts = _restore_artifacts(settings, source, manifest)
        with database.writing() as session:
            _demand_empty(session)
            _restore_tables(session, source, manifest)
            _verify(session, manifest)
    finally:
        database.close()
    n_rows = sum(manifest["rows"].values())
    return BackupInfo(source, n_rows, n_artifacts, manifest["head"])


def _demand_same_revision(session: Session, manifest: dict[str, Any], source: Path) -> None:
    here = revision_of(session.connection())
    if manifest["revision"] != here:
        raise UsageError(
            f"{source} has the schema {manifest['revision']} of datacomp {manifest['version']}, "
            f"this version has {here}: restore it with that version, then start this one"
        )


def _demand_empty(session: Session) -> None:
    for table in Base.metadata.sorted_tables:
        n = session.scalar(select(func.count()).select_from(table))
        if n:
            raise UsageError(
                f"the service to restore into is not empty: table {table.name} has {n:,} rows. "
                "Name another folder or database; nothing was changed"
            )


def _restore_artifacts(settings: Settings, source: Path, manifest: dict[str, Any]) -> int:
    if not manifest["with_artifacts"]:
        return 0
    store, n = open_store(settings), 0
    for name in manifest["files"]:
        if name.startswith("artifacts/"):
            _restore_artifact(settings, store, source / name)
            n += 1
    return n


def _restore_artifact(settings: Settings, store: ArtifactStore, source: Path) -> None:
    sha256 = source.stem
    with _staged(settings.uploads_dir, source) as staged:
        if sha256_file(staged) != sha256:
            raise UsageError(f"{source} is not what its name says")
        store.put_file(staged, sha256)


@contextmanager
def _staged(folder: Path, source: Path) -> Iterator[Path]:
    """A synced copy on the store's file system, removed afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / f"{source.stem}.restoring"
    try:
        shutil.copyfile(source, staged)
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        yield staged
    finally:
        staged.unlink(missing_ok=True)


def _restore_tables(session: Session, source: Path, manifest: dict[str, Any]) -> None:
    for table in Base.metadata.sorted_tables:
        with (source / table_file(table)).open("rb") as lines:
            n = add_rows(session, table, lines)
        if n != manifest["rows"][table.name]:
            raise UsageError(
                f"{table_file(table)} has {n:,} rows, the manifest says "
                f"{manifest['rows'][table.name]:,}"
            )


def _verify(session: Session, manifest: dict[str, Any]) -> None:
    known = parse_head(manifest["head"])
    check = audit.verify(session, known=known if known.seq else None)
    if check.problem is not None:
        raise ServiceError(f"the restored chain of events is broken: {check.problem}")
    named = set(session.scalars(select(Artifact.sha256)))
    there = {Path(name).stem for name in manifest["files"] if name.startswith("artifacts/")}
    if manifest["with_artifacts"] and named != there:
        raise ServiceError(
            f"{len(named - there):,} artifacts of the database are not in the backup"
        )
