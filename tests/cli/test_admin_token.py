"""`datacomp admin token`: tokens from the command line.

On SQLite alone: which folder a command works on is what these are about.
"""

import re

import pytest

from datacomp.cli.main import main


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["datacomp", "admin", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


def test_a_token_is_printed_once_then_only_its_beginning(run, tmp_path):
    code, out, err = run("token", "create", "--team", "Alpha")
    token = out.strip()

    assert code == 0
    assert re.fullmatch(r"dcp_[0-9A-Za-z]{38}", token)
    assert "cannot be shown again" in err
    assert (tmp_path / "service" / "datacomp.sqlite").is_file()
    _, listed, _ = run("token", "list")
    assert token not in listed
    assert token[:10] in listed


def test_a_token_is_revoked_by_its_id(run):
    run("--data", "elsewhere", "token", "create", "--team", "Alpha")
    _, listed, _ = run("--data", "elsewhere", "token", "list")
    token_id = re.search(r"\b[0-9A-Z]{26}\b", listed).group()

    code, _, _ = run("--data", "elsewhere", "token", "revoke", token_id)

    assert code == 0
    assert "revoked" in run("--data", "elsewhere", "token", "list")[1]


def test_an_impossible_team_is_a_usage_error(run):
    code, _, err = run("token", "create", "--team", "a\u202eb")

    assert code == 2
    assert "U+202E" in err


def test_a_workers_token_is_of_the_worker(run):
    run("token", "create", "--worker", "gpu-03", "--days", "7")

    assert "worker:gpu-03" in run("token", "list")[1]


def test_a_token_is_somebodys(run):
    code, _, err = run("token", "create")

    assert code == 2
    assert "--organiser" in err


def test_the_environment_names_the_folder(run, monkeypatch, tmp_path):
    monkeypatch.setenv("DATACOMP_SERVER_DATA_DIR", str(tmp_path / "named"))
    run("token", "create", "--team", "Alpha")

    assert (tmp_path / "named" / "datacomp.sqlite").is_file()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LEASE_SECONDS", "-77", "DATACOMP_SERVER_LEASE_SECONDS: Input should be greater"),
        ("JOB_COSTS", "nonsense", 'error parsing value for field "job_costs"'),
        ("OIDC_ISSUER", "https://hush", "oidc_issuer needs oidc_client_id"),
    ],
)
def test_an_impossible_setting_is_named_without_its_value(run, monkeypatch, name, value, told):
    monkeypatch.setenv(f"DATACOMP_SERVER_{name}", value)

    code, _, err = run("token", "list")

    assert code == 2
    assert err.startswith("error: ")
    assert told in err
    assert value not in err
