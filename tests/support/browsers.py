"""Browsers that are signed in, without the cost of a password."""

from datetime import timedelta
from typing import Any

from fastapi.testclient import TestClient

from datacomp_server.identity import accounts, registration, sessions


class SignedInBrowser:
    """A browser with a session's cookie, or none, that follows no redirect."""

    def __init__(self, service: Any, secret: str | None) -> None:
        self.http = TestClient(service.http.app, follow_redirects=False)
        self.http.headers["Accept"] = "text/html"
        if secret is not None:
            self.http.cookies.set("datacomp", secret, domain="testserver.local", path="/")

    def get(self, path: str) -> Any:
        return self.http.get(path)

    def text(self, path: str) -> str:
        """A page that is there, for this person alone."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        text: str = answer.text
        return text

    def post(self, path: str, site: str = "same-origin", **fields: Any) -> Any:
        return self.http.post(path, data=fields, headers={"Sec-Fetch-Site": site})

    def done(self, path: str, **fields: Any) -> str:
        """Where a form that did its work leads."""
        answer = self.post(path, **fields)
        assert answer.status_code == 303, answer.text
        where: str = answer.headers["location"]
        return where


def sign_in(
    service: Any, name: str, *, organiser: bool = False, team: str | None = None
) -> SignedInBrowser:
    """The browser of a new account, which may organise and own a new team."""
    context, moment = service.context, service.context.clock()
    with context.database.writing() as session:
        made = accounts.create(session, name, password_hash="x", moment=moment)
        if organiser:
            accounts.set_organiser(session, made, True, moment=moment)
        if team is not None:
            registration.found_team(session, context.settings, made.id, team, moment=moment)
        secret = sessions.start(session, made.id, moment=moment, lifetime=timedelta(days=1))
    return SignedInBrowser(service, secret)
