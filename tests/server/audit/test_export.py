"""The export: public things only, reproducible, and enough to check the service from outside."""

import csv
import io
import json

import pytest

from datacomp.errors import UsageError
from datacomp.events import check_chain, link_of_json, parse_head
from datacomp.files import sha256_file
from datacomp_server.audit import service as audit
from datacomp_server.audit.backup import backup
from datacomp_server.audit.export import day_folder, export
from datacomp_server.audit.folders import check_files, read_manifest
from datacomp_server.audit.restore import restore
from datacomp_server.context import open_context


@pytest.fixture
def filled(service, make_report):
    service.submit(make_report(), method="=1+1")
    service.submit(make_report(seed=1), team="Beta")
    with service.context.database.writing() as session:
        audit.record(
            session,
            tag="board:opened",
            subject_id=None,
            actor="organiser:Ada",
            facts={"share": 0.5},
            moment=service.context.clock(),
        )
    return service


def lines(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def bytes_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_tables_reports_and_events(filled, tmp_path):
    info = export(filled.context, tmp_path / "day")
    submissions = lines(tmp_path / "day" / "submissions.jsonl")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "day" / "submissions.csv").read_text())))

    assert [row["method"] for row in submissions] == ["=1+1", "mine"]
    assert [row["method"] for row in rows] == ["'=1+1", "mine"]
    for row in submissions:
        sha256 = row["report_sha256"]
        path = tmp_path / "day" / "reports" / sha256[:2] / f"{sha256}.json"
        assert sha256_file(path) == sha256
    assert info.n_rows > 4


def test_the_chain_can_be_followed_from_the_files(filled, tmp_path):
    info = export(filled.context, tmp_path / "day")
    links = map(link_of_json, lines(tmp_path / "day" / "events.jsonl"))

    check = check_chain(links, known=parse_head(info.head))
    assert check.problem is None
    assert str(check.head) == info.head


def test_the_same_state_gives_the_same_bytes(filled, tmp_path):
    export(filled.context, tmp_path / "a")
    export(filled.context, tmp_path / "b")

    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_a_restored_service_exports_the_same_bytes(filled, elsewhere, tmp_path):
    export(filled.context, tmp_path / "a")
    backup(filled.context, tmp_path / "backup", moment=filled.context.clock())
    restore(elsewhere, tmp_path / "backup")
    other = open_context(elsewhere)
    export(other, tmp_path / "b")
    other.database.close()

    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_nothing_private_is_in_it(filled, tmp_path):
    secrets = [token.encode() for token in filled.tokens.values()]
    hints = [secret[:10] for secret in secrets]
    export(filled.context, tmp_path / "day")

    for content in bytes_of(tmp_path / "day").values():
        for private in (*secrets, *hints, b"password", b"digest"):
            assert private not in content


def test_the_manifest_lists_every_file(filled, tmp_path):
    export(filled.context, tmp_path / "day")
    manifest = read_manifest(tmp_path / "day", "datacomp-export/1")
    names = set(bytes_of(tmp_path / "day"))

    assert {*manifest["files"], "manifest.json"} == names
    assert check_files(tmp_path / "day", manifest) == []
    (tmp_path / "day" / "teams.csv").write_text("changed")
    assert check_files(tmp_path / "day", manifest) == ["teams.csv was changed"]


def test_reports_are_shared_with_the_day_before(filled, tmp_path):
    export(filled.context, tmp_path / "2026-01-01")
    torn = next((tmp_path / "2026-01-01" / "reports").rglob("*.json"))
    whole = torn.read_bytes()
    torn.unlink()
    torn.write_bytes(b"torn")
    export(filled.context, tmp_path / "2026-01-02")

    shared = [p.stat().st_nlink for p in (tmp_path / "2026-01-02" / "reports").rglob("*.json")]
    assert sorted(shared) == [1, 2]
    assert (tmp_path / "2026-01-02" / torn.relative_to(tmp_path / "2026-01-01")).read_bytes() == (
        whole
    )


def test_a_day_is_written_once(filled, tmp_path):
    target = day_folder(tmp_path, filled.context.clock())
    export(filled.context, target)

    with pytest.raises(UsageError, match="is there already"):
        export(filled.context, target)
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []
