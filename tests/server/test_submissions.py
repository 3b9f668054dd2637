"""The routes of submissions: who may hand in what, and what becomes of it.

The checks inside a report are tests/reports' business; here only that all of them are told.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from datacomp.reports import report_sha256
from datacomp_server.artifacts.models import Artifact
from datacomp_server.identity.service import create_token
from datacomp_server.submissions.models import Submission

URL = "/api/v1/submissions"
JSON = {"Content-Type": "application/json"}


def codes(answer):
    return {finding["code"] for finding in answer.json()["findings"]}


def stored(service):
    with service.context.database.reading() as session:
        rows = session.scalar(select(func.count()).select_from(Submission))
        artifacts = session.scalar(select(func.count()).select_from(Artifact))
    files = [p for p in service.context.artifacts.folder.rglob("*") if p.is_file()]
    return rows, artifacts, len(files)


def forged(report):
    """Three lies in one report: an average too high, a missing task, an impossible accuracy."""
    value = report.as_json()
    value["aggregates"]["average"]["value"] = 0.99
    first, second, *_ = value["tasks"]
    del value["tasks"][first]
    value["tasks"][second]["metrics"]["acc1"]["value"] = 0.1234567
    return value


class TestCreateSubmission:
    def test_anonymous(self, service, make_report):
        answer = service.http.post(URL, json={"method": "m", "report": make_report().as_json()})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"] == "unauthorised"
        assert stored(service) == (0, 0, 0)

    @pytest.mark.parametrize("secret", ["nonsense", "dcp_" + "0" * 38, "dcp_ä" + "0" * 37])
    def test_unknown_token(self, service, make_report, secret):
        body = {"method": "m", "report": make_report().as_json()}
        header = f"Bearer {secret}".encode()

        assert (
            service.http.post(URL, json=body, headers={"Authorization": header}).status_code == 401
        )

    def test_expired_token(self, service, make_report):
        with service.context.database.writing() as session:
            service.tokens["Old"] = create_token(
                session, "Old", lifetime=timedelta(seconds=-1), moment=service.context.clock()
            )

        assert service.submit(make_report(), team="Old").status_code == 401

    def test_token_without_the_scope(self, service, make_report):
        with service.context.database.writing() as session:
            service.tokens["Reader"] = create_token(
                session, "Reader", scopes=frozenset(), moment=service.context.clock()
            )

        answer = service.submit(make_report(), team="Reader")

        assert answer.status_code == 403
        assert "submissions:write" in answer.json()["detail"]

    def test_valid(self, service, make_report):
        report = make_report(seed=3)

        answer = service.submit(report, method="clip_score", description="upper 30%")
        out = answer.json()

        assert answer.status_code == 201
        assert answer.headers["location"] == f"{URL}/{out['id']}"
        assert (out["team"], out["method"], out["description"]) == (
            "Alpha",
            "clip_score",
            "upper 30%",
        )
        assert out["report_sha256"] == report_sha256(report)
        assert out["average"]["value"] == report.aggregates.average.value
        assert (out["scale"], out["seed"], out["oracle"]) == ("tiny", 3, False)
        assert service.http.get(answer.headers["location"]).json() == out

    def test_same_report_again_is_the_same_submission(self, service, make_report):
        first = service.submit(make_report())
        again = service.submit(make_report())

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert stored(service) == (1, 1, 1)

    def test_same_report_of_another_team_is_refused(self, service, make_report):
        service.submit(make_report())

        answer = service.submit(make_report(), team="Beta")

        assert answer.status_code == 409
        assert answer.json()["error"] == "report_of_another_team"
        assert stored(service) == (1, 1, 1)

    def test_same_report_under_another_name_is_refused(self, service, make_report):
        service.submit(make_report(), method="first")

        answer = service.submit(make_report(), method="second")

        assert answer.status_code == 409
        assert "'first'" in answer.json()["detail"]

    def test_two_identical_posts_at_once_make_one_submission(self, service, make_report):
        service.token()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: service.submit(make_report()), range(8)))

        assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
        assert len({a.json()["id"] for a in answers}) == 1
        assert stored(service) == (1, 1, 1)

    def test_lock_that_uses_the_truth_marks_an_oracle(self, service, make_report, make_lock):
        report = make_report()
        lock = make_lock(report, uses_truth=True, filter={"name": "oracle"})

        out = service.submit(report, lock=lock).json()

        assert out["oracle"] is True
        assert service.http.get(f"{URL}/{out['id']}/lock").json() == lock

    def test_unknown_fields_are_refused(self, service, make_report):
        answer = service.submit(make_report(), rank=1)

        assert answer.status_code == 422
        assert answer.json()["findings"][0]["where"] == "body.rank"


class TestRefusals:
    def test_every_reason_is_listed_and_nothing_stored(self, service, make_report):
        answer = service.submit(forged(make_report()), method="")

        assert answer.status_code == 422
        assert answer.json()["error"] == "submission_refused"
        assert {"S101", "E201", "E302", "E401"} <= codes(answer)
        assert stored(service) == (0, 0, 0)

    def test_a_report_of_no_run_is_refused(self, service, make_report):
        answer = service.submit(make_report(model={}))

        assert codes(answer) == {"E504"}
        assert "no run" in answer.json()["findings"][0]["message"]
        assert stored(service) == (0, 0, 0)

    def test_schema_violations_are_findings(self, service, make_report):
        value = make_report().as_json()
        value["surprise"] = 1
        del value["suite"]

        answer = service.submit(value)

        assert codes(answer) == {"E001"}
        assert len(answer.json()["findings"]) == 2

    def test_not_a_number_is_refused(self, service, make_report):
        text = json.dumps({"method": "m", "report": make_report().as_json()})
        text = text.replace('"seconds": 1.5', '"seconds": NaN', 1)

        answer = service.http.post(URL, content=text, headers=JSON | service.auth())

        assert answer.status_code == 400
        assert answer.json()["error"] == "json_number"

    @pytest.mark.parametrize(
        "method", ["a\u202eb", "zero\u200bwidth", "bell\x07", "two\nlines", "x" * 101, "  "]
    )
    def test_misleading_method_names(self, service, make_report, method):
        assert codes(service.submit(make_report(), method=method)) == {"S101"}

    @pytest.mark.parametrize("method", ["<b>bold</b>", "فلتر", "👩‍🔬 lab", "名前", "=1+1"])
    def test_honest_method_names(self, service, make_report, method):
        assert service.submit(make_report(), method=method).json()["method"] == method

    def test_descriptions_may_have_lines_but_no_direction_marks(self, service, make_report):
        assert service.submit(make_report(), description="a\nb").status_code == 201
        refused = service.submit(make_report(seed=1), description="a\u202eb")
        assert codes(refused) == {"S102"}

    def test_text_inside_the_report(self, service, make_report):
        report = make_report(subset={"name": "a\u2066b"}, platform={"torch\x1b": "2"})

        answer = service.submit(report)

        assert codes(answer) == {"S103"}
        assert len(answer.json()["findings"]) == 2

    def test_unknown_scale(self, service, make_report):
        assert codes(service.submit(make_report(scale="gigantic"))) == {"S104"}

    def test_numbers_beyond_what_is_stored(self, service, make_report):
        value = make_report().as_json()
        value["provenance"] |= {"seed": 2**70, "pool_size": 2**70}

        assert codes(service.submit(value)) == {"E001"}

    def test_unknown_suite(self, service, make_report):
        value = make_report().as_json()
        value["suite"]["name"] = "tidy"

        assert codes(service.submit(value)) == {"S105", "S106"}

    def test_suite_of_another_scale(self, service, make_report):
        assert codes(service.submit(make_report(scale="medium"))) == {"S106"}

    def test_lock_of_another_subset(self, service, make_report, make_lock):
        report = make_report()
        lock = make_lock(report, sha256="0" * 64, uses_truth="yes")

        assert codes(service.submit(report, lock=lock)) == {"S201", "S202"}

    def test_body_that_is_not_json(self, service):
        answer = service.http.post(URL, content=b"{", headers=JSON | service.auth())

        assert answer.status_code == 400
        assert answer.json()["error"] == "bad_json"

    def test_deeply_nested_body(self, service):
        content = b'{"method": "m", "report": ' + b"[" * 100_000
        answer = service.http.post(URL, content=content, headers=JSON | service.auth())

        assert answer.status_code in (400, 422)

    @pytest.mark.parametrize("chunked", [False, True])
    def test_body_over_the_limit(self, make_service, chunked):
        service = make_service(max_body_bytes=2048)
        content = iter([b"x" * 1500] * 2) if chunked else b"x" * 3000

        answer = service.http.post(URL, content=content, headers=JSON | service.auth())

        assert answer.status_code == 413
        assert "2,048" in answer.json()["detail"]


class TestGetSubmission:
    @pytest.mark.parametrize("path", ["", "/report", "/lock", "/profile"])
    def test_unknown(self, service, path):
        answer = service.http.get(f"{URL}/01ARZ3NDEKTSV4RRFFQ69G5FAV{path}")

        assert answer.status_code == 404
        assert answer.json() == {"error": "not_found", "detail": "there is no such submission"}

    def test_report_is_the_file_of_its_hash(self, service, make_report):
        out = service.submit(make_report()).json()

        answer = service.http.get(f"{URL}/{out['id']}/report")

        assert hashlib.sha256(answer.content).hexdigest() == out["report_sha256"]
        assert answer.headers["content-disposition"].startswith("attachment")

    def test_no_lock(self, service, make_report):
        out = service.submit(make_report()).json()

        assert service.http.get(f"{URL}/{out['id']}/lock").status_code == 404
