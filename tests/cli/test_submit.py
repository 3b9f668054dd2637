"""`datacomp submit` as a process: checks first, then sends, and says what to do when it cannot."""

import json

import pytest

from datacomp.cli.main import main
from datacomp.reports import write_report
from datacomp_server import create_token, run_in_thread


@pytest.fixture(scope="module")
def running(make_module_settings):
    settings = make_module_settings()
    with run_in_thread(settings) as service:
        yield service.url, create_token(settings, "Alpha")


@pytest.fixture
def report_file(tmp_path, make_report):
    def write(report=None):
        path = tmp_path / "report.json"
        write_report(report or make_report(), path)
        return str(path)

    return write


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATACOMP_TOKEN", raising=False)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["datacomp", "submit", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


def test_prints_id_and_page(run, running, report_file):
    url, token = running

    code, out, _ = run(report_file(), "--method", "mine", "--url", url, "--token", token)

    assert code == 0
    submission = out.split()[0]
    assert f"{url}/s/{submission}" in out
    assert "submitted" in out


def test_again_changes_nothing(run, running, report_file, monkeypatch, make_report):
    url, token = running
    monkeypatch.setenv("DATACOMP_TOKEN", token)
    path = report_file(make_report(seed=4))

    _, first, _ = run(path, "--method", "mine", "--url", url)
    code, again, _ = run(path, "--method", "mine", "--url", url)

    assert code == 0
    assert again.split()[0] == first.split()[0]
    assert "stands already" in again


def test_the_lock_goes_along(run, running, report_file, make_report, tmp_path):
    url, token = running
    report = make_report(seed=7)
    lock = report.run.subset.model_dump(exclude={"name"}) | {"uses_truth": True}
    (tmp_path / "a.lock.json").write_text(json.dumps(lock))
    arguments = ["--method", "oracle", "--url", url, "--token", token, "--lock", "a.lock.json"]

    code, _, _ = run(report_file(report), *arguments)

    assert code == 0


def test_a_bad_report_is_refused_here_with_every_reason(run, report_file, make_report, tmp_path):
    path = report_file()
    value = json.loads((tmp_path / "report.json").read_text())
    value["aggregates"]["average"]["value"] = 0.99
    value["tasks"].popitem()
    (tmp_path / "report.json").write_text(json.dumps(value))

    code, out, err = run(path, "--method", "m", "--url", "http://127.0.0.1:9", "--token", "dcp_x")

    assert code == 1
    assert out == ""
    assert "E201" in err
    assert "E401" in err
    assert "nothing sent" in err


def test_a_report_of_no_run_is_refused_here(run, report_file, make_report):
    path = report_file(make_report(model={}))

    code, out, err = run(path, "--method", "m", "--url", "http://127.0.0.1:9", "--token", "dcp_x")

    assert (code, out) == (1, "")
    assert "E504" in err
    assert "nothing sent" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--url", "http://127.0.0.1:9", "--token", "dcp_x"], 1, "datacomp serve"),
        ([], 2, "DATACOMP_TOKEN"),
        (["--lock", "none.json"], 1, "none.json"),
    ],
)
def test_what_is_missing_is_named(run, report_file, arguments, code, words):
    found, _, err = run(report_file(), "--method", "m", *arguments)

    assert found == code
    assert words in err


def test_a_report_that_is_not_there(run):
    code, _, err = run("none.json", "--method", "m")

    assert code == 1
    assert "none.json" in err
