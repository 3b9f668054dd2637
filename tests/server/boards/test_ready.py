"""Boards answered before routing: the same as the routes', counted alike, never out of date."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

PATHS = ("/", "/b/tiny", "/b/tiny?sort=team", "/b/tiny.parquet", "/api/v1/boards/tiny")
UNIQUE = {"x-request-id"}


def requests_of(service, route):
    text = service.http.get("/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "datacomp_requests_total" and sample.labels["route"] == route
    )


@pytest.mark.parametrize("headers", [{"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}])
def test_a_ready_board_is_what_its_route_answers(make_service, make_report, headers):
    service = make_service(board_seconds=3600)
    service.submit(make_report())

    for path in PATHS:
        first, second = (service.http.get(path, headers=headers) for _ in range(2))

        assert second.status_code == 200
        assert second.content == first.content
        assert {k: v for k, v in second.headers.items() if k not in UNIQUE} == {
            k: v for k, v in first.headers.items() if k not in UNIQUE
        }
        again = service.http.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_it_is_counted_by_its_route_and_against_the_address(make_service, standing):
    service = make_service(standing, board_seconds=3600, address_requests_per_minute=6)

    answers = [service.http.get("/b/tiny").status_code for _ in range(5)]

    assert answers == [200] * 5
    assert requests_of(service, "/b/{scale}") == 5
    assert service.http.get("/b/tiny").status_code == 429


def test_other_methods_orders_and_tracks_meet_the_routes(make_service):
    service = make_service(board_seconds=3600)
    service.http.get("/b/tiny")

    assert service.http.post("/b/tiny").status_code == 405
    assert service.http.get("/b/tiny?sort=nothing").status_code == 400
    assert service.http.get("/b/tiny?track=nothing").status_code == 400
    assert service.http.get("/b/tiny?track=byod").text != service.http.get("/b/tiny").text


def test_without_an_age_allowed_every_visitor_sees_what_was_just_committed(service, make_report):
    before = service.http.get("/b/tiny").text
    service.submit(make_report(), method="brand new")

    assert "brand new" not in before
    assert "brand new" in service.http.get("/b/tiny").text
