"""Backup and restore: what comes back is what was there, in either database, or nothing."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from datacomp.errors import ServiceError, UsageError
from datacomp_server.artifacts.models import Artifact
from datacomp_server.artifacts.store import key_of
from datacomp_server.audit import service as audit
from datacomp_server.audit.backup import backup
from datacomp_server.audit.restore import restore
from datacomp_server.audit.rows import rows_of
from datacomp_server.boards.models import Board
from datacomp_server.context import open_context
from datacomp_server.kit.db import Base
from datacomp_server.verification import audits


@pytest.fixture
def filled(service, make_report, make_lock):
    """Two teams, artifacts, events, a column of JSON that is NULL."""
    report = make_report()
    service.submit(report, description="two\nlines, 名前", lock=make_lock(report))
    service.submit(make_report(seed=1), team="Beta")
    with service.context.database.writing() as session:
        board = session.scalars(select(Board).filter_by(scale="tiny")).first()
        moment = service.context.clock()
        audits.commit(session, board, seed="ab" * 32, share=0.5, by="organiser:Ada", moment=moment)
    return service


@pytest.fixture
def saved(filled, tmp_path):
    target = tmp_path / "backup"
    backup(filled.context, target, moment=filled.context.clock())
    return target


def contents(context):
    with context.database.reading() as session:
        return {t.name: list(rows_of(session, t)) for t in Base.metadata.sorted_tables}


def test_everything_comes_back(filled, saved, elsewhere):
    info = restore(elsewhere, saved)
    restored = open_context(elsewhere)

    assert contents(restored) == contents(filled.context)
    assert info.n_artifacts == 3
    assert info.n_rows == sum(len(rows) for rows in contents(restored).values())
    with restored.database.reading() as session:
        check = audit.verify(session)
        hashes = session.scalars(select(Artifact.sha256)).all()
    assert (check.problem, str(check.head)) == (None, info.head)
    for sha256 in hashes:
        assert restored.artifacts.read_bytes(sha256) == filled.context.artifacts.read_bytes(sha256)
    restored.database.close()


def test_the_restored_service_is_backed_up_to_the_same_bytes(filled, saved, elsewhere, tmp_path):
    restore(elsewhere, saved)
    restored = open_context(elsewhere)
    backup(restored, tmp_path / "again", moment=filled.context.clock())
    restored.database.close()

    for path in saved.rglob("*.jsonl"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(saved)).read_bytes()


def test_only_its_owner_reads_it(saved):
    assert saved.stat().st_mode & 0o077 == 0


def test_a_service_that_holds_something_is_left_alone(filled, saved):
    before = contents(filled.context)
    with pytest.raises(UsageError, match="is not empty"):
        restore(filled.context.settings, saved)
    assert contents(filled.context) == before


@pytest.mark.parametrize("name", ["tables/submission.jsonl", "artifacts"])
def test_a_damaged_backup_is_refused(saved, elsewhere, name):
    path = saved / name
    if path.is_dir():
        path = next(p for p in path.rglob("*") if p.is_file())
    path.write_bytes(path.read_bytes()[:-5])

    with pytest.raises(UsageError, match="was changed"):
        restore(elsewhere, saved)
    assert not elsewhere.data_dir.exists()


def test_a_backup_of_another_schema_names_the_remedy(saved, elsewhere):
    path = saved / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"revision": "20200101"}))

    with pytest.raises(UsageError, match="restore it with that version"):
        restore(elsewhere, saved)


def test_a_folder_that_is_no_backup(elsewhere, tmp_path):
    with pytest.raises(UsageError, match=r"manifest\.json"):
        restore(elsewhere, tmp_path)


def test_a_missing_artifact_is_told_and_no_backup_is_made(filled, tmp_path):
    with filled.context.database.reading() as session:
        sha256 = session.scalars(select(Artifact.sha256)).first()
    Path(filled.context.settings.artifacts_dir / key_of(sha256)).unlink()

    with pytest.raises(ServiceError, match=sha256):
        backup(filled.context, tmp_path / "b" / "b", moment=filled.context.clock())
    assert list((tmp_path / "b").iterdir()) == []
    alone = tmp_path / "alone"
    backup(filled.context, alone, moment=filled.context.clock(), with_artifacts=False)
    assert not (alone / "artifacts").exists()


def test_a_folder_that_is_there_is_left_alone(filled, saved):
    with pytest.raises(UsageError, match="is there already"):
        backup(filled.context, saved, moment=filled.context.clock())
