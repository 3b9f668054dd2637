"""Every request has an id of ours, and one line in the log that names no secret."""

import logging


def lines(caplog):
    return [r.facts for r in caplog.records if r.name == "datacomp.requests"]


def test_every_answer_carries_an_id_of_ours(service):
    first = service.http.get("/b/tiny", headers={"X-Request-ID": "forged"})
    second = service.http.get("/nothing")

    ids = {answer.headers["x-request-id"] for answer in (first, second)}
    assert len(ids) == 2
    assert all(len(one) == 26 for one in ids)


def test_a_request_is_logged_by_route_and_public_id(service, make_report, caplog):
    made = service.submit(make_report()).json()
    with caplog.at_level(logging.INFO):
        service.http.get(f"/s/{made['id']}?token=dcp_secret", headers=service.auth())
    (line,) = lines(caplog)

    assert (line["route"], line["status"]) == ("/s/{submission_id}", 400)
    assert line["submission_id"] == made["id"]
    assert "dcp_" not in str(line)


def test_watchers_are_not_logged(service, caplog):
    with caplog.at_level(logging.INFO):
        service.http.get("/healthz")
        service.http.get("/metrics")
    assert lines(caplog) == []
