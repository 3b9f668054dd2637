"""The limit of an address and of a token, as requests meet it."""

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from datacomp_server import Settings


def statuses(http, n, **headers):
    return [http.get("/api/v1/boards/tiny", headers=headers).status_code for _ in range(n)]


def test_an_address_that_asks_too_often_is_told_when_to_come_back(make_service, standing):
    http = make_service(standing, address_requests_per_minute=3).http

    assert statuses(http, 3) == [200] * 3
    answer = http.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert "<h1>" in answer.text
    assert "content-security-policy" in answer.headers


def test_x_forwarded_for_of_anybody_is_not_believed(make_service, standing):
    http = make_service(standing, address_requests_per_minute=3).http

    answers = [statuses(http, 1, **{"X-Forwarded-For": f"192.0.2.{i}"})[0] for i in range(4)]

    assert answers == [200, 200, 200, 429]


def test_behind_an_own_proxy_each_client_has_a_limit_and_cannot_forge_another(
    make_service, standing
):
    service = make_service(
        standing, address_requests_per_minute=2, trusted_proxies="10.0.0.0/8, ::1"
    )
    http = TestClient(service.http.app, client=("10.1.2.3", 5000))

    def forged(i):  # the client sends the first address itself, the proxy adds the second
        return {"X-Forwarded-For": f"198.51.100.{i}, 192.0.2.1"}

    assert [statuses(http, 1, **forged(i))[0] for i in range(3)] == [200, 200, 429]
    assert statuses(http, 2, **{"X-Forwarded-For": "192.0.2.2"}) == [200, 200]


@pytest.mark.parametrize("proxies", ["*", "everybody", "10.0.0.1/8"])
def test_trusted_proxies_are_networks(proxies):
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings(trusted_proxies=proxies)


def test_a_good_token_has_its_own_limit(make_service, standing, make_report):
    service = make_service(standing, address_requests_per_minute=1, token_requests_per_minute=3)

    answers = [service.submit(make_report()) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [201, 200, 200, 429]
    assert "this token" in answers[-1].json()["detail"]
    assert service.submit(make_report(seed=1), team="Beta").status_code == 429  # the address, now


def test_a_bad_token_spends_the_address(make_service, standing):
    service = make_service(standing, address_requests_per_minute=2)
    bad = {"Authorization": "Bearer dcp_" + "0" * 38}

    answers = [
        service.http.post("/api/v1/submissions", json={}, headers=bad).status_code for _ in range(3)
    ]

    assert answers == [401, 401, 429]
