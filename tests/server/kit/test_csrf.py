"""Which unsafe requests a foreign page could have caused, and that the rule stands everywhere."""

import pytest
from starlette.datastructures import Headers

from datacomp_server.kit.csrf import is_own

HOSTS = {"board.test", None}


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"sec-fetch-site": "none"},
        {"origin": "https://board.test"},
    ],
)
def test_own(headers):
    assert is_own(Headers(headers), HOSTS)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another subdomain
        {"sec-fetch-site": "cross-site", "origin": "https://board.test"},
        {"sec-fetch-site": ""},
        {"origin": "https://evil.test"},
        {"origin": "https://board.test.evil.test"},
        {"origin": "https://board.test:8443"},
        {"origin": "null"},
        {"origin": ""},
    ],
)
def test_foreign(headers):
    assert not is_own(Headers(headers), HOSTS)


@pytest.mark.parametrize("path", ["/", "/sign-in", "/api/v1/submissions", "/nowhere"])
def test_a_foreign_page_reaches_no_unsafe_method(service, path):
    answer = service.http.post(path, headers={"Sec-Fetch-Site": "cross-site"} | service.auth())

    assert (answer.status_code, answer.json()["error"]) == (403, "cross_site")


def test_a_foreign_page_may_link_here(service):
    assert service.http.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_the_public_address_is_own_behind_a_proxy_that_changes_the_host(make_service):
    http = make_service(public_url="https://board.test").http

    def status(origin):
        return http.post("/nowhere", headers={"Host": "inner", "Origin": origin}).status_code

    assert [status("https://board.test"), status("http://inner"), status("https://evil.test")] == [
        404,
        404,
        403,
    ]
