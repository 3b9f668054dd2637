"""`datacomp admin account` and `datacomp admin team`: the only way to an organiser."""

import io
import re

import pytest
from sqlalchemy import select

from datacomp.cli.main import main
from datacomp_server import Settings
from datacomp_server.audit.models import Event
from datacomp_server.identity import accounts, teams
from datacomp_server.kit.errors import Unauthorised
from datacomp_server.running import opened

PASSWORD = "correct horse battery"


@pytest.fixture
def run(capsys, monkeypatch, tmp_path, database_of_environment):
    monkeypatch.chdir(tmp_path)

    def call(*arguments, typed=PASSWORD + "\n"):
        monkeypatch.setattr("sys.argv", ["datacomp", "admin", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


@pytest.fixture
def service(tmp_path):
    with opened(Settings(data_dir=tmp_path / "service")) as context:
        yield context


def test_an_organiser_is_made_and_unmade(run, service):
    run("account", "create", "Ada", "--organiser")
    assert re.search(r"Ada +password +organiser", run("account", "list")[1])
    assert run("token", "create", "--organiser", "ada")[0] == 0

    run("account", "organiser", "Ada", "--remove")
    code, _, err = run("token", "create", "--organiser", "ada")
    assert (code, "organises nothing" in err) == (2, True)


def test_a_password_is_set_anew_and_an_account_ended(run, service):
    run("account", "create", "Ada")
    run("account", "password", "Ada", typed="another long sentence\n")
    assert accounts.sign_in(service.database, "ada", "another long sentence").name == "Ada"

    run("account", "end", "Ada")
    with pytest.raises(Unauthorised):
        accounts.sign_in(service.database, "ada", "another long sentence")
    run("account", "end", "Ada", "--undo")
    assert accounts.sign_in(service.database, "ada", "another long sentence").name == "Ada"
    with service.database.reading() as session:
        told = session.scalars(select(Event.tag).order_by(Event.seq)).all()
    assert told == ["account:ended", "account:let-in"]


def test_teams_are_founded_joined_and_listed(run, service):
    for name in ("Ada", "Bob", "Cy"):
        run("account", "create", name)
    run("team", "create", "Alpha", "--owner", "Ada")
    run("team", "add", "alpha", "bob")
    invite = run("team", "invite", "Alpha", "--role", "owner")[1].strip()
    with service.database.writing() as session:
        account = accounts.of_name(session, "Cy")
        teams.join(session, account.id, invite, moment=service.clock())

    assert re.search(r"Alpha +Ada, Cy +Bob", run("team", "list")[1])


@pytest.mark.parametrize(
    ("arguments", "typed", "reason"),
    [
        (("account", "create", "Ada"), "short\n", "12 to 200"),
        (("account", "create", "Ada"), "", "standard input"),
        (("account", "password", "nobody"), PASSWORD, "no account 'nobody'"),
        (("team", "create", "Alpha", "--owner", "nobody"), "", "no account 'nobody'"),
        (("team", "invite", "nobody"), "", "no team 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(run, arguments, typed, reason):
    code, _, err = run(*arguments, typed=typed)

    assert code == 2
    assert reason in err
