"""The routes of tokens: a password buys one, its scopes hold, it ends; nothing secret is logged."""

import logging

import pytest
from sqlalchemy import update

from datacomp_server.identity import accounts, teams
from datacomp_server.identity.models import Account
from datacomp_server.identity.service import create_organiser_token

URL = "/api/v1/tokens"
pytestmark = pytest.mark.usefixtures("quick_passwords")

PASSWORD = "correct horse battery"


@pytest.fixture
def ada(service):
    """Ada's account id; she owns Alpha."""
    context = service.context
    stored = accounts.new_password("Ada", PASSWORD)
    with context.database.writing() as session:
        moment = context.clock()
        account = accounts.create(session, "Ada", password_hash=stored, moment=moment)
        teams.found(session, account.id, "Alpha", at_most=3, moment=moment)
        return account.id


def login(service, password=PASSWORD, **body):
    return service.http.post(URL, json={"account": "ada", "password": password, **body})


def bearer(answer):
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def me(service, headers):
    return service.http.get("/api/v1/me", headers=headers)


def test_a_password_buys_a_token_of_the_only_team(service, ada):
    answer = login(service, name="laptop", days=7)
    out = answer.json()

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert (out["owner"], out["name"]) == ("team:Alpha", "laptop")
    assert out["token"].startswith(out["hint"])
    who = me(service, bearer(answer)).json()
    assert who == {
        "actor": "team:Alpha",
        "scopes": ["submissions:read", "submissions:write"],
        "token_id": out["id"],
        "expires_at": out["expires_at"],
    }


def test_scopes_can_be_fewer(service, ada):
    answer = login(service, scopes=["submissions:read"])

    assert me(service, bearer(answer)).json()["scopes"] == ["submissions:read"]


@pytest.mark.parametrize("scopes", [["admin"], ["worker"], ["submissions:read", "admin"]])
@pytest.mark.parametrize("team", [None, "Alpha"])
def test_nobody_gives_away_more_than_a_team_may(service, ada, scopes, team):
    assert login(service, scopes=scopes, team=team).status_code == 422


def test_an_organiser_gets_an_admin_token_but_no_other_teams(service, ada):
    service.token("Beta")
    with service.context.database.writing() as session:
        session.execute(update(Account).values(organiser=True))

    admin = login(service, scopes=["admin"])

    assert me(service, bearer(admin)).json()["actor"] == "organiser:Ada"
    assert login(service, team="Beta").status_code == 404


def test_who_is_in_no_team_or_in_two_is_told_what_to_do(service, ada):
    context = service.context
    with context.database.writing() as session:
        teams.found(session, ada, "Beta", at_most=3, moment=context.clock())
    several = login(service).json()
    assert (several["error"], login(service, team=" BETA").status_code) == ("team_needed", 201)
    assert "'Alpha', 'Beta'" in several["detail"]

    stored = accounts.new_password("Bob", PASSWORD)
    with context.database.writing() as session:
        accounts.create(session, "Bob", password_hash=stored, moment=context.clock())
    assert login(service, account="Bob").json()["error"] == "no_team"


def test_a_wrong_password_is_401_and_says_no_more(service, ada):
    wrong, unknown = login(service, "wrong horse battery"), login(service, account="nobody")

    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.json() == unknown.json()


def test_guessing_is_limited_by_address_and_by_account(make_service, standing):
    service = make_service(standing, sign_ins_per_minute=3)
    answers = [login(service, "x") for _ in range(4)]

    assert [a.status_code for a in answers] == [401, 401, 401, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_guessing_one_account_from_many_addresses_is_limited(make_service, standing):
    service = make_service(standing, trusted_proxies="0.0.0.0/0, ::/0", sign_ins_per_minute=1)
    service.http._transport.client = ("10.0.0.1", 1)

    statuses = [
        service.http.post(
            URL,
            json={"account": "Ada", "password": "x"},
            headers={"X-Forwarded-For": f"192.0.2.{i}"},
        ).status_code
        for i in range(21)
    ]

    assert statuses == [401] * 20 + [429]


def test_signing_in_rightly_again_and_again_is_no_guessing(make_service, standing):
    service = make_service(standing, sign_ins_per_minute=100)
    stored = accounts.new_password("Ada", PASSWORD)
    with service.context.database.writing() as session:
        moment = service.context.clock()
        account = accounts.create(session, "Ada", password_hash=stored, moment=moment)
        teams.found(session, account.id, "Alpha", at_most=3, moment=moment)

    assert {login(service).status_code for _ in range(22)} == {201}


def test_a_token_ends_itself_and_no_other(service, ada):
    first, second = login(service), login(service)

    other = service.http.delete(f"{URL}/{second.json()['id']}", headers=bearer(first))
    itself = service.http.delete(f"{URL}/{first.json()['id']}", headers=bearer(first))

    assert (other.status_code, itself.status_code) == (404, 204)
    assert me(service, bearer(first)).status_code == 401
    assert [t["id"] for t in service.http.get(URL, headers=bearer(second)).json()] == [
        second.json()["id"]
    ]


def test_an_organisers_token_sees_and_ends_every_one(service, ada):
    token_of_team = service.token("Beta")
    context = service.context
    with context.database.writing() as session:
        account = session.get_one(Account, ada)
        accounts.set_organiser(session, account, True, moment=context.clock())
        secret = create_organiser_token(session, account, moment=context.clock())
    headers = {"Authorization": f"Bearer {secret}"}

    listed = service.http.get(URL, headers=headers).json()
    target = next(t["id"] for t in listed if t["owner"] == "team:Beta")
    assert secret not in str(listed)
    for _ in range(2):
        assert service.http.delete(f"{URL}/{target}", headers=headers).status_code == 204
    assert me(service, {"Authorization": f"Bearer {token_of_team}"}).status_code == 401


def test_tokens_of_an_ended_account_end_with_it(service, ada):
    answer = login(service)
    with service.context.database.writing() as session:
        account = session.get_one(Account, ada)
        accounts.set_enabled(session, account, False, moment=service.context.clock())

    assert me(service, bearer(answer)).status_code == 401
    assert login(service).status_code == 401


@pytest.mark.parametrize("body", [{"days": 0}, {"days": 367}, {"name": "a\u202eb"}, {"x": 1}])
def test_impossible_wishes(service, ada, body):
    assert login(service, **body).status_code == 422


def test_secrets_are_in_no_log_and_in_no_refusal(service, ada, caplog):
    caplog.set_level(logging.DEBUG)
    refused = service.http.post(URL, json={"account": 1, "password": "sesame " * 50, "x": "sesame"})
    wrong = login(service, "sesame open sesame")
    answer = login(service)
    me(service, bearer(answer))

    assert answer.json()["token"] not in caplog.text
    assert "sesame" not in refused.text + wrong.text + caplog.text
