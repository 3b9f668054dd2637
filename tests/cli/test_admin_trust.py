"""`datacomp admin` audit, verify-log, export, backup, restore: the whole way, by the words."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from datacomp.cli.main import main
from datacomp_server import Settings, create_token
from datacomp_server.app import create_app
from datacomp_server.running import opened


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, make_database_url):
    """`run(*words, data="service")`: stdout of `datacomp admin`, or (code, stderr) if it fails."""
    monkeypatch.chdir(tmp_path)
    urls = {data: make_database_url(migrated=data == "service") for data in ("service", "other")}

    def call(*words, data="service"):
        monkeypatch.setenv("DATACOMP_SERVER_DATABASE_URL", urls[data])
        monkeypatch.setattr("sys.argv", ["datacomp", "admin", "--data", data, *words])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return out if not caught.value.code else (caught.value.code, err)

    monkeypatch.setenv("DATACOMP_SERVER_DATABASE_URL", urls["service"])
    create_token(Settings(data_dir=tmp_path / "service"), "Alpha")
    return call


def test_a_mark_and_a_verification(run, tmp_path, make_report):
    settings = Settings(data_dir=tmp_path / "service")
    with opened(settings) as context:
        headers = {"Authorization": f"Bearer {create_token(settings, 'Beta')}"}
        body = {"method": "mine", "report": make_report().as_json()}
        with TestClient(create_app(context)) as http:
            made = http.post("/api/v1/submissions", json=body, headers=headers).json()["id"]

    assert run("mark", made, "upheld", "--reason", "copied").split()[-1] == "reported"
    code, told = run("mark", made, "praised")
    assert (code, "disqualified" in told) == (2, True)
    code, told = run("verify", made)
    assert (code, "checkpoint" in told) == (2, True)
    code, told = run("verify", made, "--level", "retrained")
    assert (code, "re-trained" in told) == (1, True)


def test_an_audit_round(run):
    round_id, commitment = run("audit", "commit", "--scale", "tiny", "--share", "0.5").split()

    assert len(commitment) == 64
    assert "not yet" in run("audit", "list")
    assert run("audit", "draw", round_id) == ""
    assert "is what its seed gives" in run("audit", "check", round_id)
    assert run("audit", "verify", round_id) == ""
    code, told = run("audit", "draw", round_id)
    assert (code, "was drawn at" in told) == (2, True)


@pytest.mark.parametrize("board", [("tiny", "x"), ("x", "filtering")])
def test_a_board_that_is_none(run, board):
    scale, track = board
    code, told = run("audit", "commit", "--scale", scale, "--track", track, "--share", "0.5")

    assert (code, "no board" in told) == (2, True)


def test_backup_restore_and_the_log_of_both(run, tmp_path):
    run("audit", "commit", "--scale", "tiny", "--share", "0.5")
    head = run("backup", "saved").split()[-1]
    assert head in run("restore", "saved", data="other")
    assert f"passes through {head}" in run("verify-log", "--head", head, data="other")

    code, told = run("restore", "saved", data="other")
    assert (code, "is not empty" in told) == (2, True)


def test_a_changed_event_is_named(run, tmp_path):
    run("audit", "commit", "--scale", "tiny", "--share", "0.5")
    run("export", "day")
    assert "passes through" in run("verify-log", "--export", "day")
    settings = Settings(data_dir=tmp_path / "service")
    with opened(settings) as service, service.database.writing() as session:
        session.execute(text("UPDATE event SET actor = 'organiser:Eve'"))

    code, told = run("verify-log")
    assert code == 1
    assert "event 1 (token:created" in told
    assert "was changed" in told


def test_the_export_of_today_is_written_once(run, tmp_path):
    out = run("export")

    assert "service/exports/" in out
    code, told = run("export")
    assert (code, "is there already" in told) == (2, True)
