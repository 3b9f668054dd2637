"""`datacomp key`: a key from its making to its end, and a submission that it signs."""

import re
import stat

import pytest

from datacomp.cli.main import main
from datacomp.client import ServiceClient
from datacomp.client.signing import attest
from datacomp.errors import UsageError
from datacomp.reports import report_sha256
from datacomp.submission.kept_keys import kept_key, key_for
from datacomp_server import create_token, run_in_thread


@pytest.fixture(scope="module")
def running(make_module_settings):
    settings = make_module_settings()
    with run_in_thread(settings) as service:
        yield service.url, create_token(settings, "Alpha")


@pytest.fixture
def run(running, capsys, monkeypatch, tmp_path):
    """`run(*words)`: exit code, stdout, stderr of `datacomp key`."""
    url, token = running
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DATACOMP_TOKEN", token)

    def call(*words):
        monkeypatch.setattr("sys.argv", ["datacomp", "key", *words, "--url", url])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


def test_from_making_to_end(run, running, make_report, tmp_path):
    url, token = running
    key_id = run("new", "--name", "laptop")[1].split()[0]
    kept = key_for(url)

    assert kept.id == key_id
    (path,) = (tmp_path / "config" / "datacomp" / "keys").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert re.search(f"{key_id} +laptop.*good, on this", run("list")[1])

    report = make_report()
    with ServiceClient(url, token) as service:
        made = service.submit(report, "mine")
        attest(service.connection, kept, made.id, report_sha256=report_sha256(report), files={})
        found = service.connection.read("get_evidence", submission_id=made.id)
    assert found["level"] == "attested"

    assert run("revoke", key_id)[0] == 0
    assert "revoked" in run("list")[1]


def test_a_kept_key_is_not_lost_by_accident(run, running):
    first = run("new")[1].split()[0]

    code, _, err = run("new")
    assert (code, "--replace" in err, first in err) == (2, True, True)
    second = run("new", "--replace")[1].split()[0]
    assert kept_key(running[0]).id == second != first


def test_without_a_key_the_remedy_is_named(run, running, tmp_path):
    with pytest.raises(UsageError, match="datacomp key new"):
        key_for(running[0])
    path = tmp_path / "config" / "datacomp" / "keys"
    path.mkdir(parents=True)
    run("new")
    (kept,) = path.iterdir()
    kept.write_text("{}")
    with pytest.raises(UsageError, match="holds no key"):
        kept_key(running[0])
