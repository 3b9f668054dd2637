"""`datacomp login`, `whoami`, `logout`: a password becomes a kept token, which ends."""

import io
import stat

import pytest

from datacomp.cli.main import main
from datacomp.credentials import Credential, origin_of, read, store
from datacomp.errors import UsageError
from datacomp_server import create_token, list_tokens, run_in_thread
from datacomp_server.identity import accounts, teams
from datacomp_server.running import opened

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def running(make_module_settings):
    settings = make_module_settings(sign_ins_per_minute=1000)
    stored = accounts.new_password("Ada", PASSWORD)
    with opened(settings) as context, context.database.writing() as session:
        moment = context.clock()
        account = accounts.create(session, "Ada", password_hash=stored, moment=moment)
        teams.found(session, account.id, "Alpha", at_most=3, moment=moment)
    with run_in_thread(settings) as service:
        yield service.url, settings


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """`run(*arguments, typed="")`: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DATACOMP_TOKEN", raising=False)

    def call(*arguments, typed=""):
        monkeypatch.setattr("sys.argv", ["datacomp", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


def test_sign_in_ask_sign_out(run, running, tmp_path):
    url, settings = running

    code, out, _ = run("login", "ada", "--url", url + "/", typed=PASSWORD + "\n")
    assert (code, out.split(" until")[0]) == (0, f"signed in to {url}/ as team:Alpha")
    kept = read(url)
    (path,) = (tmp_path / "config" / "datacomp" / "tokens").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kept.token not in out
    assert "may     submissions:read, submissions:write" in run("whoami", "--url", url)[1]

    assert run("logout", "--url", url)[0] == 0
    assert read(url) is None
    assert list_tokens(settings)[0].revoked_at is not None
    assert run("whoami", "--url", url)[0] == 2


def test_a_wrong_password_keeps_nothing(run, running):
    code, _, err = run("login", "ada", "--url", running[0], typed="wrong\n")

    assert code == 1
    assert "the name or the password is wrong" in err
    assert "token" not in err
    assert read(running[0]) is None


def test_a_token_from_the_page_is_kept_and_may_be_dead_at_sign_out(run, running):
    url, settings = running
    secret = create_token(settings, "Beta")

    assert run("login", "--url", url, "--token", "-", typed=secret)[0] == 0
    assert "team:Beta" in run("whoami", "--url", url)[1]
    store(Credential(url, secret[:-1] + "x", "team:Beta"))
    assert run("whoami", "--url", url)[0] == 1
    assert run("logout", "--url", url)[0] == 0


def test_the_environment_goes_before_what_is_kept(run, running, monkeypatch):
    url, settings = running
    run("login", "ada", "--url", url, typed=PASSWORD)
    monkeypatch.setenv("DATACOMP_TOKEN", create_token(settings, "Gamma"))

    assert "team:Gamma" in run("whoami", "--url", url)[1]


def test_no_answer_on_standard_input_is_a_usage_error(run, running):
    assert run("login", "ada", "--url", running[0])[0] == 2


def test_a_password_over_plain_http_to_elsewhere_is_warned_of(run):
    _, _, err = run("login", "ada", "--url", "http://board.invalid", typed=PASSWORD)

    assert "not HTTPS" in err


@pytest.mark.parametrize("url", ["http://Host.Test:80/", "http://host.test", "HTTP://host.test:80"])
def test_one_service_has_one_address(url):
    assert origin_of(url) == "http://host.test"


@pytest.mark.parametrize("url", ["host.test", "ftp://host.test", "http://", "http://h:port"])
def test_what_is_no_address(url):
    with pytest.raises(UsageError, match="address"):
        origin_of(url)
