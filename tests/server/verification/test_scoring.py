"""From a worker's report to result and evidence: what is taken, what is not, what it changes."""

import hashlib
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from datacomp.errors import ReportError, ServiceError
from datacomp.files import canonical_json
from datacomp.submission.attestation import PrivateKey, result_statement
from datacomp_server.artifacts.models import Artifact
from datacomp_server.audit import repository as events
from datacomp_server.identity.models import ApiToken
from datacomp_server.identity.service import create_worker_token
from datacomp_server.jobs.handlers import Work
from datacomp_server.jobs.models import Job, JobAttempt, JobOutput, Worker
from datacomp_server.submissions import marks
from datacomp_server.submissions.models import Result, Submission, Verdict
from datacomp_server.verification.models import SigningKey
from datacomp_server.verification.scoring import score

LEASE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
KEY = PrivateKey("01" * 32)


@dataclass
class Bench:
    """A service with one submission of a report; `measure` does what an evaluate job leaves."""

    service: Any
    report: Any
    id: str

    @property
    def context(self):
        return self.service.context

    def measure(self, report, *, source="evaluated", facts=None, checkpoint=None, lease=LEASE):
        """The work of a score job over a worker's report of one finished evaluation."""
        content = report if isinstance(report, bytes) else canonical_json(report.as_json())
        seed = 0 if isinstance(report, bytes) else report.run.seed
        sha256 = self.context.artifacts.put_bytes(content)
        moment = self.context.clock()
        weights = checkpoint or self.report.run.checkpoint_sha256
        job = Job(
            kind="evaluate",
            submission_id=self.id,
            resource="tiny",
            params={"inputs": {"checkpoint": {"sha256": weights}}},
            turn=0,
            expected_seconds=1,
            status="succeeded",
            attempt=1,
            created_at=moment,
            available_at=moment,
            finished_at=moment,
        )
        with self.context.database.writing() as session:
            if session.get(Artifact, sha256) is None:
                session.add(Artifact(sha256=sha256, size=len(content), created_at=moment))
            session.add(job)
            session.flush()
            attempt = JobAttempt(
                lease_id=lease,
                job_id=job.id,
                attempt=1,
                worker="gpu-1",
                started_at=moment,
                last_beat_at=moment,
                ended_at=moment,
                ending="succeeded",
                seconds=0,
            )
            output = JobOutput(job_id=job.id, role="report", sha256=sha256, facts=facts or {})
            session.add_all([attempt, output])
        inputs = {"report": {"job": job.id, "role": "report"}}
        params = {"source": source, "seed": seed, "inputs": inputs}
        return Work("score", "score", self.id, params, {"report": sha256})

    def score(self, report, **values):
        apply = score(self.context, self.measure(report, **values))
        with self.context.database.writing() as session:
            apply(session, self.context.clock())

    def standing(self):
        return self.service.http.get(f"/api/v1/submissions/{self.id}/evidence").json()

    def board(self):
        (row,) = self.service.http.get("/api/v1/boards/tiny").json()["rows"]
        return row

    def results(self):
        url = f"/api/v1/submissions/{self.id}/results"
        results = self.service.http.get(url).json()["results"]
        for result in results:
            report = self.service.http.get(f"{url}/{result['id']}/report").content
            assert hashlib.sha256(report).hexdigest() == result["report_sha256"]
        assert self.service.http.get(f"{url}/none/report").status_code == 404
        return results

    def dismiss(self):
        with self.context.database.writing() as session:
            found = session.get_one(Submission, self.id)
            moment = self.context.clock()
            marks.mark(session, found, "dismissed", by="organiser:Ada", moment=moment)


@pytest.fixture
def bench(service, make_report):
    report = make_report(level=0.3)
    return Bench(service, report, service.submit(report).json()["id"])


def leases():
    return (f"{number:026}" for number in range(100))


def test_the_same_numbers_are_evidence(bench):
    bench.score(bench.report)

    found = bench.standing()
    assert (found["level"], found["capped"]) == ("re-evaluated", False)
    *_, evidence = found["evidence"]
    assert (evidence["kind"], evidence["worker"]) == ("evaluation", "gpu-1")
    assert evidence["facts"]["compared"]["largest"] == 0
    assert (bench.board()["rank"], bench.board()["level"]) == (1, "re-evaluated")


def test_other_numbers_contradict_and_are_what_the_board_shows(bench, make_report):
    measured = make_report(level=0.2)
    bench.score(measured)

    found = bench.standing()
    assert (found["level"], found["capped"]) == ("reported", True)
    assert found["evidence"][-1]["kind"] == "contradiction"
    assert len(found["evidence"][-1]["facts"]["beyond"]) > 1
    row = bench.board()
    assert row["average"]["mean"] == measured.aggregates.average.value
    assert row["rank"] is None
    results = bench.results()
    assert [result["source"] for result in results] == ["reported", "evaluated"]
    page = bench.service.http.get(f"/s/{bench.id}").text
    assert f"{results[1]['id']}/report" in page
    assert "evaluated by a worker, shown here" in page
    assert "gpu-1 measured other numbers" in page
    assert "contradicts it" in page


def test_a_dismissed_contradiction_counts_no_more(bench, make_report):
    bench.score(make_report(level=0.2))
    bench.dismiss()

    assert bench.standing()["level"] == "re-evaluated"


def test_three_trained_seeds_reproduce(bench, make_report):
    seen = []
    for seed, lease in zip(range(3), leases(), strict=False):
        measured = make_report(level=0.31, seed=seed, checkpoint_sha256="d" * 64)
        bench.score(measured, source="trained", checkpoint="d" * 64, lease=lease)
        seen.append(bench.standing()["level"])

    assert seen == ["re-trained", "re-trained", "reproduced"]
    row = bench.board()
    assert row["seeds"] == [0, 1, 2]
    assert set(row["submissions"]) == {bench.id}
    assert "2 of 3" not in bench.service.http.get(f"/s/{bench.id}").text


def test_everything_is_in_the_log(bench, make_report):
    bench.score(make_report(level=0.2))
    with bench.context.database.reading() as session:
        *_, event = events.in_order(session)

    assert event.subject_id == bench.id
    assert (event.tag, event.actor) == ("submission:contradicted", "worker:gpu-1")
    assert event.facts["level"] == "reported"


def test_a_report_of_something_else_is_no_evidence(bench, make_report):
    wrong = [
        ({"pool_id": "another"}, "its pool is"),
        ({"scale": "smoke"}, "its scale is"),
        ({"checkpoint_sha256": "e" * 64}, "its checkpoint is"),
        ({"recipe_id": "another"}, "its recipe is"),
        ({"subset": {"sha256": "f" * 64}}, "its subset is"),
    ]
    for (values, named), lease in zip(wrong, leases(), strict=False):
        with pytest.raises(ServiceError, match=named):
            bench.score(make_report(level=0.3, **values), lease=lease)
    assert bench.standing()["level"] == "reported"


def test_a_report_that_cannot_be_is_no_evidence(bench):
    value = bench.report.as_json()
    value["aggregates"]["average"]["value"] = 0.99
    with pytest.raises(ServiceError, match="E401"):
        bench.score(canonical_json(value))
    with pytest.raises(ReportError):
        bench.score(b"{}", lease="0" * 26)


class TestWorkersSignature:
    def signed(self, bench, *, key=KEY, worker="gpu-1", lease=LEASE, report=None):
        """Facts of the report with a signature of a registered worker's key."""
        with bench.context.database.writing() as session:
            moment = bench.context.clock()
            create_worker_token(session, worker, moment=moment)
            token = session.scalars(select(ApiToken)).all()[-1]
            made = Worker(token_id=token.id, name=worker, classes=[], pools=[], facts={})
            session.add(made)
            session.flush()
            stored = SigningKey(worker_id=made.id, name=worker, public_key=KEY.public)
            session.add(stored)
            session.flush()
            key_id = stored.id
        content = canonical_json((report or bench.report).as_json())
        files = {"report": bench.context.artifacts.put_bytes(content)}
        statement = result_statement(key_id=key_id, lease_id=lease, files=files)
        return {"attestation": {"key_id": key_id, "signature": key.sign(statement)}}

    def test_a_good_one_is_kept(self, bench):
        facts = self.signed(bench)
        bench.score(bench.report, facts=facts)

        evidence = bench.standing()["evidence"][-1]
        assert evidence["key_id"] == facts["attestation"]["key_id"]
        assert evidence["facts"]["attestation"] == facts["attestation"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"key": PrivateKey("02" * 32)},
            {"worker": "gpu-2"},
            {"lease": "0" * 26},
        ],
    )
    def test_a_wrong_one_is_no_evidence(self, bench, wrong):
        facts = self.signed(bench, **wrong)
        with pytest.raises(ServiceError, match="no good signature"):
            bench.score(bench.report, facts=facts)

    def test_one_of_another_report_is_no_evidence(self, bench, make_report):
        facts = self.signed(bench, report=make_report(seed=5))
        with pytest.raises(ServiceError, match="no good signature"):
            bench.score(bench.report, facts=facts)


def test_a_result_of_a_job_is_stored_once(bench):
    work = bench.measure(bench.report)
    apply = score(bench.context, work)
    with bench.context.database.writing() as session:
        apply(session, bench.context.clock())
        sources = session.scalars(select(Result.source)).all()

    assert sorted(sources) == ["evaluated", "reported"]


OWN = {"rows": 100, "pictures": 90, "failures": {"timeout": 10}}


class TestOwnData:
    """A worker trained on the pool that the submitted addresses make."""

    @pytest.fixture
    def own(self, service, make_report):
        def make(**values):
            report = make_report(level=0.3, **values)
            made = Bench(service, report, service.submit(report).json()["id"])
            facts = {"byod": {"rows": 100, "pool_id": "own"}}
            with made.context.database.writing() as session:
                # the only way to other facts than the checks would write: as if they had been
                verdict = Verdict.__table__.update().where(Verdict.submission_id == made.id)
                session.execute(verdict.values(facts=facts))
            return made

        return make

    def trained(self, bench, report):
        with bench.context.database.writing() as session:
            train = Job(
                kind="train",
                resource="tiny-byod",
                params={},
                turn=0,
                expected_seconds=1,
                status="succeeded",
                attempt=1,
                finished_at=bench.context.clock(),
            )
            session.add(train)
            session.flush()
            weights = report.run.checkpoint_sha256
            if session.get(Artifact, weights) is None:
                session.add(Artifact(sha256=weights, size=1))
                session.flush()
            facts = {"own_data": OWN}
            session.add(JobOutput(job_id=train.id, role="checkpoint", sha256=weights, facts=facts))
            return {"job": train.id, "role": "checkpoint"}

    def score(self, bench, report):
        work = bench.measure(report, source="trained")
        inputs = self.trained(bench, report)
        with bench.context.database.writing() as session:
            job = session.get_one(Job, work.params["inputs"]["report"]["job"])
            job.params = {"inputs": {"checkpoint": inputs}}
        apply = score(bench.context, work)
        with bench.context.database.writing() as session:
            apply(session, bench.context.clock())

    def test_a_run_that_named_its_tars_is_compared_by_its_average(self, own, make_report):
        bench = own(pool_id="sources-1")
        self.score(bench, make_report(level=0.31, pool_id="own", subset={"sha256": "f" * 64}))

        found = bench.standing()
        assert (found["level"], found["capped"]) == ("re-trained", False)
        assert found["evidence"][-1]["facts"]["own_data"] == OWN
        page = bench.service.http.get(f"/s/{bench.id}").text
        assert "90 pictures of 100 addresses" in page

    def test_another_pool_is_not_what_was_asked_for(self, own, make_report):
        with pytest.raises(ServiceError, match="its pool is"):
            self.score(own(pool_id="sources-1"), make_report(level=0.31, pool_id="sources-1"))

    def test_a_run_on_that_pool_has_its_subset(self, own, make_report):
        bench = own(pool_id="own")
        with pytest.raises(ServiceError, match="its subset is"):
            self.score(bench, make_report(pool_id="own", subset={"sha256": "f" * 64}))
