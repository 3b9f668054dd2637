"""Browsers of an organiser and of others, signed in without the cost of passwords."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from datacomp_server.identity import accounts, registration, sessions


class Browser:
    """A signed-in browser that follows no redirect."""

    def __init__(self, service, secret):
        self.http = TestClient(service.http.app, follow_redirects=False)
        self.http.headers["Accept"] = "text/html"
        if secret is not None:
            self.http.cookies.set("datacomp", secret, domain="testserver.local", path="/")

    def get(self, path):
        return self.http.get(path)

    def text(self, path):
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.text

    def post(self, path, site="same-origin", **fields):
        return self.http.post(path, data=fields, headers={"Sec-Fetch-Site": site})

    def done(self, path, **fields):
        answer = self.post(path, **fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


@pytest.fixture
def sign_in(service):
    """`sign_in(name, organiser, team)`: a browser of a new account."""

    def make(name, organiser=False, team=None):
        context, moment = service.context, service.context.clock()
        with context.database.writing() as session:
            made = accounts.create(session, name, password_hash="x", moment=moment)
            if organiser:
                accounts.set_organiser(session, made, True, moment=moment)
            if team is not None:
                registration.found_team(session, context.settings, made.id, team, moment=moment)
            secret = sessions.start(session, made.id, moment=moment, lifetime=timedelta(days=1))
        return Browser(service, secret)

    return make


@pytest.fixture
def olga(sign_in):
    """An organiser's browser."""
    return sign_in("Olga", organiser=True)


@pytest.fixture
def anybody(service):
    """A browser that nobody signed in."""
    return Browser(service, None)
