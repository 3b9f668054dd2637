"""The types of routes: which token reaches which route, and in what words another is refused."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from datacomp_server.identity import auth
from datacomp_server.identity.models import Account
from datacomp_server.identity.service import (
    create_organiser_token,
    create_token,
    create_worker_token,
)
from datacomp_server.identity.tokens import Scope
from datacomp_server.kit import responses
from datacomp_server.kit.errors import ServerError

ROUTES = {
    "submitter": auth.Submitter,
    "reader": auth.Reader,
    "steward": auth.Steward,
    "uploader": auth.Uploader,
    "worker": auth.WorkerCaller,
    "organiser": auth.Organiser,
    "any": auth.AnyCaller,
    "maybe": auth.MaybeCaller,
}
TEAM, READS, WRITES, WORKER, ADMIN = "team", "team reads", "team writes", "worker", "admin"
ALLOWED = {
    "submitter": {TEAM, WRITES},
    "reader": {TEAM, READS, ADMIN},
    "steward": {TEAM, WRITES, ADMIN},
    "uploader": {TEAM, WRITES, WORKER},
    "worker": {WORKER},
    "organiser": {ADMIN},
    "any": {TEAM, READS, WRITES, WORKER, ADMIN},
    "maybe": {TEAM, READS, WRITES, WORKER, ADMIN, None},
}


def add_route(app, name, kind):
    def answer(caller: kind) -> str | None:
        return caller and caller.actor

    app.get(f"/{name}")(answer)


@pytest.fixture
def routes(service):
    """The service's routes of every type, and a token of every kind."""
    app = FastAPI()
    app.state.context = context = service.context
    app.add_exception_handler(ServerError, responses.handle_server_error)
    for name, kind in ROUTES.items():
        add_route(app, name, kind)
    moment = context.clock()
    with context.database.writing() as session:
        account = Account(name="Ada", key="ada", password_hash="x", organiser=True)
        secrets = {
            TEAM: create_token(session, "Alpha", moment=moment),
            READS: create_token(session, "Alpha", scopes=frozenset({Scope.READ}), moment=moment),
            WRITES: create_token(session, "Alpha", scopes=frozenset({Scope.SUBMIT}), moment=moment),
            WORKER: create_worker_token(session, "gpu-03", moment=moment),
            ADMIN: create_organiser_token(session, account, moment=moment),
        }
    return TestClient(app), secrets, context, account.id


def ask(http, route, secret):
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return http.get(f"/{route}", headers=headers)


def test_a_route_is_reached_by_its_tokens_only(routes):
    http, secrets, *_ = routes
    kinds = [*secrets, None]

    for route, allowed in ALLOWED.items():
        answers = {kind: ask(http, route, secrets.get(kind)).status_code for kind in kinds}

        refused = {kind: 403 if kind else 401 for kind in kinds if kind not in allowed}
        assert answers == dict.fromkeys(allowed, 200) | refused, route


def test_callers_say_who_they_are(routes):
    http, secrets, *_ = routes

    assert {kind: ask(http, "any", secret).json() for kind, secret in secrets.items()} == {
        TEAM: "team:Alpha",
        READS: "team:Alpha",
        WRITES: "team:Alpha",
        WORKER: "worker:gpu-03",
        ADMIN: "organiser:Ada",
    }


def test_a_missing_scope_is_named(routes):
    http, secrets, *_ = routes

    assert "submissions:write" in ask(http, "submitter", secrets[READS]).json()["detail"]
    assert "a worker's token" in ask(http, "worker", secrets[TEAM]).json()["detail"]


def test_a_bad_token_is_refused_also_where_none_is_needed(routes):
    http, *_ = routes

    answer = ask(http, "maybe", "dcp_nonsense")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("change", [{"organiser": False}, {"disabled_at": True}])
def test_an_organisers_token_ends_with_the_office(routes, change):
    http, secrets, context, account_id = routes
    with context.database.writing() as session:
        for name, value in change.items():
            moment = context.clock() - timedelta(seconds=1)
            setattr(session.get(Account, account_id), name, moment if value else value)

    assert ask(http, "organiser", secrets[ADMIN]).status_code == 401
