"""Signing in by a provider: a small one on this machine, and what it or a stranger could forge."""

import base64
import hashlib
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import ValidationError

from datacomp_server import Settings
from datacomp_server.identity import accounts, repository
from datacomp_server.identity.models import WebSession

KEY = RSAKey.generate_key(2048, {"kid": "one"})
STRANGE = RSAKey.generate_key(2048, {"kid": "one"})
PUBLIC = "http://testserver"


class FakeProvider:
    """Answers discovery, keys and tokens; `claims` and `sign` change what the token says."""

    def __init__(self):
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer(provider.get(self.path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._answer(provider.exchange(parse_qs(body), self.headers))

            def _answer(self, value):
                data = json.dumps(value).encode()
                self.send_response(200 if value is not None else 400)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.codes = {}
        self.clock = lambda: datetime.now(UTC)
        self.claims = {}
        self.described_issuer = self.issuer
        self.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)

    def get(self, path):
        if path == "/keys":
            return {"keys": [KEY.as_dict(private=False)]}
        return {
            "issuer": self.described_issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def authorize(self, address, subject="ada-1", name="Ada"):
        """What the provider's page does once the person agreed: code and state."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = query | {"subject": subject, "name": name}
        return {"code": code, "state": query["state"], "iss": self.issuer}

    def exchange(self, body, headers):
        flow = self.codes.pop(body["code"][0], None)
        verifier = body["code_verifier"][0]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        secret = base64.b64encode(b"board:s%3Aecret").decode()
        if (
            flow is None
            or challenge.rstrip(b"=").decode() != flow["code_challenge"]
            or headers["Authorization"] != f"Basic {secret}"
            or body["redirect_uri"][0] != f"{PUBLIC}/sign-in/provider/callback"
        ):
            return None
        moment = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": "board",
            "sub": flow["subject"],
            "nonce": flow["nonce"],
            "iat": moment,
            "exp": moment + 300,
            "preferred_username": flow["name"],
        }
        return {"id_token": self.sign(claims | self.claims)}


@pytest.fixture
def provider():
    made = FakeProvider()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def serve(make_service, provider):
    def make(**settings):
        return make_service(
            oidc_issuer=provider.issuer,
            oidc_client_id="board",
            oidc_client_secret="s:ecret",
            public_url=PUBLIC,
            sign_ins_per_minute=1000,
            **settings,
        )

    return make


@pytest.fixture
def service(serve):
    return serve()


def browser_of(service):
    return TestClient(service.http.app, base_url=PUBLIC, follow_redirects=False)


def begin(browser, next="/account"):
    answer = browser.get("/sign-in/provider", params={"next": next})
    assert answer.status_code == 303
    return answer.headers["location"]


def come_back(browser, answer):
    return browser.get("/sign-in/provider/callback", params=answer)


def sign_in(service, provider, **who):
    browser = browser_of(service)
    return browser, come_back(browser, provider.authorize(begin(browser), **who))


def test_a_new_person_gets_an_account_and_the_same_one_again(service, provider):
    browser, answer = sign_in(service, provider)
    assert answer.status_code == 200
    assert 'content="0; url=/account"' in answer.text
    assert "Ada" in browser.get("/account").text

    sign_in(service, provider, name="Renamed")
    with service.context.database.reading() as session:
        assert [account.name for account in repository.accounts(session)] == ["Ada"]


def test_what_is_asked_of_the_provider(service, provider):
    browser = browser_of(service)
    query = parse_qs(urlsplit(begin(browser)).query)

    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"{PUBLIC}/sign-in/provider/callback"]
    assert "s:ecret" not in str(query)
    assert len({query[key][0] for key in ("state", "nonce", "code_challenge")}) == 3


def test_a_name_never_leads_into_an_account_that_is_there(service, provider):
    with service.context.database.writing() as session:
        accounts.create(session, "Ada", password_hash="x", moment=service.context.clock())

    browser, _ = sign_in(service, provider, name=" ada")

    assert "ada 2" in browser.get("/account").text


def test_a_name_that_could_mislead_is_replaced(service, provider):
    browser, _ = sign_in(service, provider, name="a\u202eb")

    assert re.search(r"<h1><bdi>user</bdi>", browser.get("/account").text)


def test_an_answer_is_good_once_and_in_the_browser_that_asked(service, provider):
    browser, stranger = browser_of(service), browser_of(service)
    answer = provider.authorize(begin(browser))
    begin(stranger)

    assert come_back(stranger, answer).status_code == 400
    assert come_back(browser, answer).status_code == 200
    browser.cookies.set("datacomp-flow", answer["state"], domain="testserver.local", path="/")
    again = provider.authorize(f"{provider.issuer}?state={answer['state']}&nonce=x")
    assert come_back(browser, again).status_code == 400


def test_an_answer_comes_within_ten_minutes(serve, provider):
    moment = datetime.now(UTC)
    service = serve(clock=lambda: moment)
    browser = browser_of(service)
    answer = provider.authorize(begin(browser))
    moment += timedelta(minutes=11)

    assert come_back(browser, answer).status_code == 400


def test_answers_to_nothing(service):
    for answer in ({}, {"state": "x", "code": "y"}, {"error": "access_denied"}):
        assert come_back(browser_of(service), answer).status_code == 400


def test_a_refusal_and_another_issuers_answer(service, provider):
    browser = browser_of(service)
    state = provider.authorize(begin(browser))["state"]
    assert come_back(browser, {"state": state, "error": "access_denied"}).status_code == 403

    mixed_up = provider.authorize(begin(browser)) | {"iss": "https://evil.test"}
    assert come_back(browser, mixed_up).status_code == 403


FORGERIES = {
    "another issuer": {"iss": "https://evil.test"},
    "another client": {"aud": "other"},
    "several clients, none of them named": {"aud": ["board", "other"]},
    "made for another client": {"azp": "other"},
    "a replayed nonce": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1_000_000_000},
    "of tomorrow": {"iat": 4_000_000_000},
    "no subject": {"sub": None},
    "a subject that is no text": {"sub": 5},
    "a subject longer than is kept": {"sub": "x" * 300},
}
SIGNATURES = {
    "a stranger's key": lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, STRANGE),
    "the public key as a secret": lambda claims: jwt.encode(
        {"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(KEY.as_pem(private=False))
    ),
    "no signature": lambda claims: (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in ({"alg": "none"}, claims)
        )
        + "."
    ),
    "no token": lambda claims: "nonsense",
    "no text": lambda claims: 5,
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_forged_token_signs_nobody_in(service, provider):
    honest = provider.sign
    for name, claims in FORGERIES.items():
        provider.claims = claims
        assert sign_in(service, provider)[1].status_code == 502, name
    provider.claims = {}
    for name, sign in SIGNATURES.items():
        provider.sign = sign
        assert sign_in(service, provider)[1].status_code == 502, name
    provider.sign = honest

    with service.context.database.reading() as session:
        assert repository.accounts(session) == []
        assert session.query(WebSession).count() == 0


def test_a_description_of_another_issuer_is_refused(service, provider):
    provider.described_issuer = "https://evil.test"

    assert browser_of(service).get("/sign-in/provider").status_code == 502


def test_a_provider_that_does_not_answer(make_service):
    service = make_service(
        oidc_issuer="http://127.0.0.1:9", oidc_client_id="board", public_url=PUBLIC
    )
    answer = browser_of(service).get("/sign-in/provider")

    assert (answer.status_code, answer.json()["error"]) == (502, "bad_gateway")


def test_it_leads_to_our_own_pages_only(service, provider):
    browser = browser_of(service)
    answer = come_back(browser, provider.authorize(begin(browser, next="//evil.test")))

    assert "evil.test" not in answer.text


def test_closed_registration_lets_only_known_people_in(serve, provider):
    service = serve(registration="closed")
    assert sign_in(service, provider)[1].status_code == 403

    key = f"{provider.issuer} ada-1"
    with service.context.database.writing() as session:
        moment = service.context.clock()
        account = accounts.create(session, "Ada", oidc_subject=key, moment=moment)
    assert sign_in(service, provider)[1].status_code == 200
    with service.context.database.writing() as session:
        session.add(account)
        accounts.set_enabled(session, account, False, moment=moment)
    assert sign_in(service, provider)[1].status_code == 403


def test_without_a_provider_there_is_no_such_page(make_service):
    browser = browser_of(make_service())

    assert browser.get("/sign-in/provider").status_code == 404
    assert "provider" not in browser.get("/sign-in").text


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "https://id.test"},
        {"oidc_issuer": "https://id.test", "oidc_client_id": "x"},
        {"oidc_issuer": "http://id.test", "oidc_client_id": "x", "public_url": PUBLIC},
    ],
)
def test_half_a_provider_is_refused_at_the_start(settings):
    with pytest.raises(ValidationError, match="oidc_issuer"):
        Settings(**settings)


def test_the_secret_is_in_no_representation_of_the_settings(service):
    assert "s:ecret" not in repr(service.context.settings)
