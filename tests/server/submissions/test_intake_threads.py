"""How many manifests are taken in at a time: few, so that readers get their turn."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock

from datacomp_server.context import INTAKE_THREADS
from datacomp_server.submissions import rules


def test_no_more_than_that_many_at_a_time(make_service, make_report, monkeypatch):
    service, validate = make_service(), rules.validate
    inside, most, lock, all_here = [0], [0], Lock(), Barrier(INTAKE_THREADS)

    def counting(manifest):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        all_here.wait(60)  # goes on only if that many are here together
        try:
            return validate(manifest)
        finally:
            with lock:
                inside[0] -= 1

    monkeypatch.setattr(rules, "validate", counting)
    service.token()
    reports = [make_report(seed=seed) for seed in range(3 * INTAKE_THREADS)]
    with ThreadPoolExecutor(len(reports)) as visitors:
        answers = list(visitors.map(service.submit, reports))

    assert [answer.status_code for answer in answers] == [201] * len(reports)
    assert most == [INTAKE_THREADS]


def test_what_is_answered_is_what_one_sees_later(service, make_report):
    taken = service.submit(make_report())
    again = service.submit(make_report())

    path = f"/api/v1/submissions/{taken.json()['id']}"
    assert (taken.status_code, again.status_code) == (201, 200)
    assert taken.json() == again.json() == service.http.get(path, headers=service.auth()).json()
    assert taken.json()["state"] == "accepted"
