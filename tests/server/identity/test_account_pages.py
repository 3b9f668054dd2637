"""Pages of accounts and teams, as a browser meets them: cookies, forms, redirects, refusals."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from datacomp.submission.attestation import PrivateKey, key_statement
from datacomp_server import list_tokens
from datacomp_server.identity import accounts
from datacomp_server.identity.models import WebSession
from datacomp_server.identity.visitors import own_path

pytestmark = pytest.mark.usefixtures("quick_passwords")

PASSWORD = "correct horse battery"
ULID = r"[0-9A-Z]{26}"


class Clock:
    def __init__(self):
        self.moment = datetime.now(UTC)

    def __call__(self):
        return self.moment


class Browser:
    """A browser with cookies of its own, which says where its requests come from."""

    def __init__(self, service, base="http://testserver"):
        self.http = TestClient(service.http.app, base_url=base, follow_redirects=False)
        self.http.headers["Accept"] = "text/html"

    def get(self, path):
        return self.http.get(path)

    def post(self, path, site="same-origin", **fields):
        return self.http.post(path, data=fields, headers={"Sec-Fetch-Site": site})

    def plant(self, session):
        self.http.cookies.set("datacomp", session, domain="testserver.local", path="/")

    def register(self, name="Ada", **fields):
        return self.post("/register", **{"name": name, "password": PASSWORD} | fields)

    def sign_in(self, name="Ada", password=PASSWORD, **fields):
        return self.post("/sign-in", name=name, password=password, **fields)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def service(make_service, clock):
    return make_service(clock=clock, sign_ins_per_minute=1000)


@pytest.fixture
def browser(service):
    return Browser(service)


@pytest.fixture
def ada(browser):
    """Ada's browser; she owns Alpha."""
    assert browser.register(team="Alpha").status_code == 303
    return browser


def team_of(browser):
    return re.search(rf"/teams/({ULID})", browser.get("/account").text)[1]


def secret_in(answer, prefix):
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return re.search(rf"{prefix}_\w{{38}}", answer.text)[0]


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/queue?x=1", "/queue?x=1"),
        ("//evil.test", "/account"),
        ("/\\evil.test", "/account"),
        ("https://evil.test", "/account"),
        ("javascript:alert(1)", "/account"),
        ("evil.test", "/account"),
        ("/\t/evil.test", "/account"),
        ("/a\r\nSet-Cookie: x=1", "/account"),
        ("/é", "/account"),
        ("/" + "x" * 500, "/account"),
        ("", "/account"),
    ],
)
def test_own_paths(path, leads):
    assert own_path(path) == leads


class TestDoors:
    def test_registering_signs_in(self, ada):
        page = ada.get("/account")

        assert page.status_code == 200
        assert "Ada" in page.text
        assert "Alpha" in page.text
        assert page.headers["cache-control"] == "no-store"

    def test_the_cookie_is_strict_and_http_only(self, browser):
        cookie = browser.register().headers["set-cookie"]

        assert re.match(r"datacomp=[\w-]{43};", cookie)
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))

    def test_on_https_nobody_else_can_set_it(self, service):
        browser = Browser(service, "https://testserver")
        cookie = browser.register().headers["set-cookie"]

        assert cookie.startswith("__Host-datacomp=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert browser.get("/account").status_code == 200

    def test_signing_in_and_out(self, ada, service):
        other = Browser(service)
        assert other.get("/account").headers["location"] == "/sign-in?next=%2Faccount"
        answer = other.sign_in(" ADA ", next="/account")
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert other.get("/account").status_code == 200
        kept = other.http.cookies["datacomp"]

        assert other.post("/sign-out").headers["location"] == "/"
        other.plant(kept)
        assert other.get("/account").status_code == 303, "the session itself is over"
        assert ada.get("/account").status_code == 200

    def test_a_wrong_password_and_an_unknown_name_look_the_same(self, ada, service):
        other = Browser(service)
        wrong, unknown = other.sign_in(password="wrong"), other.sign_in("Eve", PASSWORD)

        assert (wrong.status_code, unknown.status_code) == (401, 401)
        assert wrong.text.replace('value="Ada"', 'value="Eve"') == unknown.text
        assert "set-cookie" not in wrong.headers
        assert "wrong" in wrong.text
        assert PASSWORD not in unknown.text

    def test_foreign_pages_send_no_form(self, ada):
        for path in ("/register", "/sign-in", "/sign-out", "/account/tokens"):
            answer = ada.post(path, site="same-site", name="Eve", password=PASSWORD)

            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
        assert ada.get("/account").status_code == 200

    def test_a_planted_session_is_not_taken_over(self, service, ada):
        victim = Browser(service)
        victim.plant("planted-by-somebody-else")
        victim.sign_in()

        assert victim.http.cookies["datacomp"] != "planted-by-somebody-else"
        attacker = Browser(service)
        attacker.plant("planted-by-somebody-else")
        assert attacker.get("/account").status_code == 303

    def test_signing_in_again_ends_the_session_before(self, ada, service):
        old = ada.http.cookies["datacomp"]
        ada.sign_in()

        other = Browser(service)
        other.plant(old)
        assert other.get("/account").status_code == 303

    def test_a_session_ends_by_itself(self, ada, clock, service):
        clock.moment += timedelta(days=14)
        assert ada.get("/account").status_code == 303

        ada.sign_in()
        with service.context.database.reading() as session:
            assert session.query(WebSession).count() == 1, "what is over is removed"

    def test_an_ended_account_is_signed_out(self, ada, service):
        with service.context.database.writing() as session:
            account = accounts.of_name(session, "Ada")
            accounts.set_enabled(session, account, False, moment=service.context.clock())

        assert ada.get("/account").status_code == 303
        assert ada.sign_in().status_code == 401

    def test_signing_in_leads_to_our_own_pages_only(self, ada):
        assert ada.sign_in(next="/queue").headers["location"] == "/queue"
        assert ada.sign_in(next="//evil.test").headers["location"] == "/account"
        assert ada.get("/sign-in?next=//evil.test").headers["location"] == "/account"

    def test_passwords_are_tried_ten_times_a_minute(self, make_service, standing):
        browser = Browser(make_service(standing))
        answers = [browser.sign_in(password="x").status_code for _ in range(11)]

        assert answers == [401] * 10 + [429]


class TestRegistration:
    def test_what_is_refused_leaves_nothing(self, browser):
        for fields, reason in [
            ({"password": "short"}, "12 to 200"),
            ({"name": "a\u202eb"}, "U+202E"),
            ({"name": "nul\x00"}, "U+0000"),
            ({"name": ""}, "is empty"),
            ({"team": "a\u202eb"}, "U+202E"),
            ({"team": "Beta", "invite": "dci_x"}, "not both"),
            ({"invite": "dci_x"}, "unknown, expired"),
        ]:
            answer = browser.register(**fields)

            assert answer.status_code == 422
            assert reason in answer.text
            assert "set-cookie" not in answer.headers
        assert browser.register(team="Alpha").status_code == 303, "the names are still free"

    def test_a_name_that_is_taken(self, ada, service):
        answer = Browser(service).register("ａda")

        assert answer.status_code == 409
        assert "taken" in answer.text

    def test_a_team_that_is_there_is_not_joined_by_its_name(self, ada, service):
        eve = Browser(service)

        assert eve.register("Eve", team="ALPHA").status_code == 409
        assert eve.get("/account").status_code == 303

    def test_by_invite_only(self, make_service):
        service = make_service(registration="invite", sign_ins_per_minute=1000)
        browser = Browser(service)
        assert "dci_" in browser.get("/register").text
        assert browser.register().status_code == 422
        assert browser.register(team="Mine", invite="x").status_code == 422

    def test_closed(self, make_service):
        service = make_service(registration="closed")
        browser = Browser(service)

        assert browser.get("/register").status_code == 403
        assert browser.register().status_code == 403
        assert "Register" not in browser.get("/sign-in").text

    def test_nobody_organises_for_having_been_first(self, ada):
        assert '<span class="mark">organiser' not in ada.get("/account").text
        answer = ada.post("/account/tokens", name="x", team_id="", days="7")
        assert answer.status_code == 422

    def test_a_script_makes_no_end_of_accounts(self, service):
        answers = [Browser(service).register(f"user{i}").status_code for i in range(41)]

        assert answers == [303] * 40 + [429]


class TestTokens:
    def test_a_token_is_shown_once_and_revoked(self, ada, service):
        team = team_of(ada)
        fields = {"name": "<b>laptop", "team_id": team, "scopes": ["submissions:read"], "days": "7"}
        secret = secret_in(ada.post("/account/tokens", **fields), "dcp")
        me = {"Authorization": f"Bearer {secret}"}

        page = ada.get("/account").text
        assert secret not in page
        assert "&lt;b&gt;laptop" in page
        assert service.http.get("/api/v1/me", headers=me).json()["scopes"] == ["submissions:read"]
        (info,) = list_tokens(service.context.settings)
        assert ada.post(f"/account/tokens/{info.id}/revoke").status_code == 303
        assert service.http.get("/api/v1/me", headers=me).status_code == 401

    def test_impossible_tokens(self, ada, service):
        possible = {"name": "x", "team_id": team_of(ada), "scopes": [], "days": "7"}
        for fields in [
            {"scopes": ["admin"]},
            {"scopes": ["worker"]},
            {"scopes": ["nonsense"]},
            {"days": "0"},
            {"days": "367"},
            {"name": ""},
            {"team_id": "\x00"},
        ]:
            assert ada.post("/account/tokens", **possible | fields).status_code == 422
        assert list_tokens(service.context.settings) == []

    def test_other_peoples_teams_and_tokens_are_not_there(self, ada, service):
        eve, team = Browser(service), team_of(ada)
        eve.register("Eve")
        ada.post("/account/tokens", name="x", team_id=team, days="7")
        (info,) = list_tokens(service.context.settings)

        assert eve.post("/account/tokens", name="x", team_id=team, days="7").status_code == 404
        assert eve.post(f"/account/tokens/{info.id}/revoke").status_code == 404
        assert list_tokens(service.context.settings)[0].revoked_at is None

    def test_a_cookie_is_no_token(self, ada):
        assert ada.get("/api/v1/me").status_code == 401


class TestTeams:
    @pytest.fixture
    def bob(self, ada, service):
        """Bob's browser; he was invited to Alpha."""
        answer = ada.post(f"/teams/{team_of(ada)}/invites", role="member")
        bob = Browser(service)
        assert bob.register("Bob", invite=secret_in(answer, "dci")).status_code == 303
        return bob

    def test_members_see_the_team(self, ada, bob):
        page = bob.get(f"/teams/{team_of(ada)}").text

        assert "Bob" in page
        assert "Make owner" not in page
        assert "New invite" not in page

    def test_an_owner_makes_another_and_leaves(self, ada, bob):
        team = team_of(ada)
        ada_id, bob_id = re.findall(rf"members/({ULID})/role", ada.get(f"/teams/{team}").text)

        last = ada.post(f"/teams/{team}/members/{ada_id}/remove")
        assert (last.status_code, "last owner" in last.text) == (409, True)
        assert ada.post(f"/teams/{team}/members/{bob_id}/role", role="owner").status_code == 303
        assert ada.post(f"/teams/{team}/members/{ada_id}/remove").headers["location"] == "/account"
        assert ada.get(f"/teams/{team}").status_code == 404
        assert "New invite" in bob.get(f"/teams/{team}").text

    def test_a_member_changes_nothing(self, ada, bob):
        team = team_of(ada)

        assert bob.post(f"/teams/{team}/invites", role="owner").status_code == 403
        assert bob.post(f"/teams/{team}/invites", role="emperor").status_code == 422

    def test_what_is_no_team(self, ada):
        for team in ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00", "%F0%9F", "x" * 99):
            assert ada.get(f"/teams/{team}").status_code == 404
            assert ada.post(f"/teams/{team}/invites", role="member").status_code == 404
            assert ada.post(f"/account/tokens/{team}/revoke").status_code == 404

    def test_an_invite_is_withdrawn(self, ada, service):
        team = team_of(ada)
        secret = secret_in(ada.post(f"/teams/{team}/invites", role="member"), "dci")
        invite = re.search(rf"invites/({ULID})/withdraw", ada.get(f"/teams/{team}").text)[1]
        assert ada.post(f"/teams/{team}/invites/{invite}/withdraw").status_code == 303

        bob = Browser(service)
        bob.register("Bob")
        assert bob.post("/account/join", invite=secret).status_code == 422

    def test_more_teams_than_allowed(self, ada):
        answers = [ada.post("/teams", name=f"Team {i}").status_code for i in range(3)]

        assert answers == [303, 303, 422]


class TestPassword:
    def test_a_new_password_signs_other_browsers_out(self, ada, service):
        other = Browser(service)
        other.sign_in()
        new = "another long sentence"

        assert ada.post("/account/password", present=PASSWORD, new=new).status_code == 303
        assert ada.get("/account").status_code == 200
        assert other.get("/account").status_code == 303
        assert other.sign_in().status_code == 401
        assert other.sign_in(password=new).status_code == 303

    def test_refused_changes(self, ada):
        weak = {"present": PASSWORD, "new": "x"}
        assert ada.post("/account/password", present="wrong", new="x" * 20).status_code == 401
        assert ada.post("/account/password", **weak).status_code == 422
        assert ada.sign_in().status_code == 303


class TestKeys:
    def test_a_member_sees_and_ends_the_keys_of_the_team(self, ada, service):
        key = PrivateKey.generate()
        proof = key.sign(key_statement(key.public, "team", "Alpha"))
        body = {"name": "<laptop>", "public_key": key.public, "proof": proof}
        made = service.http.post("/api/v1/keys", json=body, headers=service.auth("Alpha")).json()
        path = f"/teams/{team_of(ada)}"
        assert "&lt;laptop&gt;" in ada.get(path).text
        eve = Browser(service)
        eve.register("Eve", team="Beta")
        other = f"/teams/{team_of(eve)}"
        end = f"keys/{made['id']}/revoke"
        assert eve.post(f"{path}/{end}").status_code == 404
        assert eve.post(f"{other}/{end}").status_code == 404
        assert "<td>good</td>" in ada.get(path).text

        assert ada.post(f"{path}/{end}").status_code == 303
        assert "<td>good</td>" not in ada.get(path).text
