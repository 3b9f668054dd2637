"""Signing in by an OpenID Connect provider: authorization code with PKCE, state and nonce.

What was begun is remembered here, in memory, for ten minutes and for one answer; the browser that
began it holds the state as a cookie. The provider's description and keys are read anew at every
sign-in, so that a changed key needs no restart. Only signatures by public keys are believed.
"""

import base64
import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from datacomp_server.identity.models import MAX_SUBJECT_LENGTH
from datacomp_server.kit.errors import BadGateway, BadRequest
from datacomp_server.settings import Settings

CALLBACK = "/sign-in/provider/callback"
FLOW_LIFETIME = timedelta(minutes=10)
_MAX_FLOWS = 10_000
_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
_LEEWAY_SECONDS = 60
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Flow:
    """A sign-in that was begun; `back_to` is where it leads."""

    state: str
    nonce: str
    verifier: str
    back_to: str
    begun_at: datetime


@dataclass(frozen=True)
class Subject:
    """Who the provider says it is: `key` for good, `name` as a suggestion."""

    key: str
    name: str


class Provider:
    """The provider that the settings name."""

    def __init__(self, issuer: str, client_id: str, secret: str | None, redirect_uri: str) -> None:
        self.issuer, self.client_id, self._secret = issuer, client_id, secret
        self.redirect_uri = redirect_uri
        self._http = httpx.Client(
            timeout=_TIMEOUT_SECONDS, headers={"Accept": "application/json"}
        )  # which follows no redirect
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The provider of these settings; None if they name none."""
        if not (settings.oidc_issuer and settings.oidc_client_id and settings.public_url):
            return None
        secret = settings.oidc_client_secret
        return cls(
            settings.oidc_issuer,
            settings.oidc_client_id,
            secret.get_secret_value() if secret else None,
            settings.public_url + CALLBACK,
        )

    def close(self) -> None:
        """Close the connections to the provider."""
        self._http.close()

    def begin(self, back_to: str, *, moment: datetime) -> tuple[Flow, str]:
        """Begin a sign-in: what to remember, and the address to send the browser to."""
        endpoint = self._description()["authorization_endpoint"]
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        flow = Flow(state, nonce, verifier, back_to, moment)
        with self._lock:
            self._flows[flow.state] = flow
            if len(self._flows) > _MAX_FLOWS:
                self._flows.popitem(last=False)
        challenge = hashlib.sha256(flow.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile",
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return flow, f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def take(self, state: str, cookie: str | None, *, moment: datetime) -> Flow:
        """The flow of an answer, once; `BadRequest` if this browser did not begin it just now."""
        with self._lock:
            flow = self._flows.pop(state, None) if cookie == state else None
        if flow is None or moment - flow.begun_at > FLOW_LIFETIME:
            raise BadRequest(
                "this sign-in was not begun in this browser, or too long ago: begin again",
                code="stale_sign_in",
            )
        return flow

    def subject(self, flow: Flow, code: str, *, clock: Callable[[], datetime]) -> Subject:
        """Who the authorization code is for.

        `BadGateway` if the provider fails, or answers with what cannot be believed.
        """
        description = self._description()
        claims = self._claims(self._exchange(description, flow, code), description, flow, clock)
        names = (claims.get("preferred_username"), claims.get("name"), "user")
        name = next(name for name in names if isinstance(name, str) and name.strip())
        subject = claims["sub"]
        key = f"{self.issuer} {subject}"
        if not isinstance(subject, str) or not subject or len(key) > MAX_SUBJECT_LENGTH:
            raise BadGateway("the sign-in provider's name for this person is none, or too long")
        return Subject(key=key, name=name)

    def _exchange(self, description: Mapping[str, Any], flow: Flow, code: str) -> str:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "code_verifier": flow.verifier,
        }
        methods = description.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        auth = None
        if self._secret is not None and "client_secret_basic" in methods:
            auth = (quote(self.client_id, safe=""), quote(self._secret, safe=""))
        elif self._secret is not None:
            body["client_secret"] = self._secret
        answer = self._ask("POST", description["token_endpoint"], data=body, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise BadGateway("the sign-in provider gave no id_token")
        return token

    def _claims(
        self,
        token: str,
        description: Mapping[str, Any],
        flow: Flow,
        clock: Callable[[], datetime],
    ) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(clock().timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client_id},
            nonce={"essential": True, "value": flow.nonce},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        try:
            found = self._ask("GET", description["jwks_uri"])
            keys = KeySet.import_key_set(found)  # type: ignore[arg-type]  # it checks what came
            claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            rules.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise BadGateway(
                f"the sign-in provider's answer is not to be believed: {type(error).__name__}"
            ) from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self.client_id) != self.client_id:
            raise BadGateway("the sign-in provider's answer is for another client")
        return claims

    def _description(self) -> dict[str, Any]:
        where = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = self._ask("GET", where)
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != self.issuer or not all(
            isinstance(found.get(name), str) for name in needed
        ):
            raise BadGateway(f"{where} does not describe the issuer {self.issuer!r}")
        return found

    def _ask(self, method: str, url: str, **request: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, url, **request)
            value = answer.raise_for_status().json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise BadGateway(
                f"the sign-in provider does not answer as it should: {type(error).__name__}"
            ) from error
        if not isinstance(value, dict):
            raise BadGateway("the sign-in provider answered with something that is no JSON object")
        return value
