"""/metrics: what happened and what is stored, with labels from fixed sets only."""

from prometheus_client.parser import text_string_to_metric_families


def samples(service):
    text = service.http.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route(service, make_report):
    made = service.submit(make_report()).json()
    for _ in range(2):
        service.http.get(f"/api/v1/submissions/{made['id']}")
    found = samples(service)

    labels = (("method", "GET"), ("route", "/api/v1/submissions/{submission_id}"))
    assert found["datacomp_requests_total", *labels, ("status", "200")] == 2
    count = ("route", "/api/v1/submissions/{submission_id}")
    assert found["datacomp_request_seconds_count", count] == 2


def test_strange_requests_make_no_new_series(service):
    for i in range(20):
        service.http.get(f"/nothing/{i}", headers={"Authorization": "Bearer dcp_secret"})
        service.http.request(f"VERB{i}", "/nothing")
    found = samples(service)

    unknown = {key for key in found if ("route", "none") in key and "requests_total" in key[0]}
    assert len(unknown) == 2
    assert "secret" not in str(found)
    assert "nothing" not in str(found)


def test_what_is_stored(service, make_report):
    service.submit(make_report())
    upload = {"sha256": "a" * 64, "size": 100}
    service.http.post("/api/v1/uploads", json=upload, headers=service.auth())
    found = samples(service)

    assert found["datacomp_submissions",] == 1
    assert found["datacomp_uploads_open",] == 1
    assert found["datacomp_uploads_missing_bytes",] == 100
    assert found["datacomp_workers",] == 0
