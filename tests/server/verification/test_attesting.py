"""Keys and signatures over the API: who may sign what, and what a signature leaves behind."""

import pytest

from datacomp.reports import report_sha256
from datacomp.submission.attestation import PrivateKey, key_statement, submission_statement
from datacomp_server.audit import service as audit
from datacomp_server.identity.service import create_worker_token

KEY = PrivateKey("01" * 32)
OTHER = PrivateKey("02" * 32)


def register(service, key=KEY, team="Alpha", *, prover=None, name="laptop"):
    proof = (prover or key).sign(key_statement(key.public, "team", team))
    body = {"name": name, "public_key": key.public, "proof": proof}
    return service.http.post("/api/v1/keys", json=body, headers=service.auth(team))


def statement(submission, report, key_id, **values):
    fields = {
        "key_id": key_id,
        "submission_id": submission["id"],
        "report_sha256": report_sha256(report),
        "files": {},
    }
    return submission_statement(**fields | values)


def attest(service, submission, key_id, signature, team="Alpha"):
    body = {"key_id": key_id, "signature": signature}
    url = f"/api/v1/submissions/{submission['id']}/attestations"
    return service.http.post(url, json=body, headers=service.auth(team))


def level(service, submission):
    return service.http.get(f"/api/v1/submissions/{submission['id']}/evidence").json()["level"]


@pytest.fixture
def submitted(service, make_report):
    report = make_report()
    return report, service.submit(report).json()


class TestKeys:
    def test_register_and_list(self, service):
        answer = register(service)

        assert answer.status_code == 201
        listed = service.http.get("/api/v1/keys", headers=service.auth()).json()["keys"]
        assert listed == [answer.json()]
        assert listed[0]["public_key"] == KEY.public
        assert service.http.get("/api/v1/keys", headers=service.auth("Beta")).json()["keys"] == []

    def test_again_is_the_same_key(self, service):
        assert register(service).json() == register(service).json()

    def test_without_the_private_key(self, service):
        answer = register(service, prover=OTHER)

        assert (answer.status_code, answer.json()["error"]) == (422, "key_refused")

    def test_another_teams_key(self, service):
        register(service)
        answer = register(service, team="Beta")

        assert (answer.status_code, answer.json()["error"]) == (409, "key_taken")

    def test_a_proof_for_another_team(self, service):
        proof = KEY.sign(key_statement(KEY.public, "team", "Alpha"))
        body = {"name": "x", "public_key": KEY.public, "proof": proof}

        answer = service.http.post("/api/v1/keys", json=body, headers=service.auth("Beta"))
        assert answer.json()["error"] == "key_refused"

    def test_misleading_names(self, service):
        for name in ("", "a\u202eb", "x" * 61):
            assert register(service, name=name).json()["error"] == "key_refused"

    def test_only_its_team_revokes_it(self, service):
        key_id = register(service).json()["id"]
        url = f"/api/v1/keys/{key_id}/revoke"

        assert service.http.post(url, headers=service.auth("Beta")).status_code == 404
        first = service.http.post(url, headers=service.auth()).json()
        assert first["revoked_at"] is not None
        assert service.http.post(url, headers=service.auth()).json() == first
        assert register(service).json()["error"] == "key_taken"

    def test_a_worker_that_never_asked_for_jobs(self, service):
        proof = KEY.sign(key_statement(KEY.public, "worker", "gpu-1"))
        body = {"worker": "gpu-1", "public_key": KEY.public, "proof": proof}

        assert service.http.post("/api/v1/worker/keys", json=body).status_code == 401
        team = service.http.post("/api/v1/worker/keys", json=body, headers=service.auth())
        assert team.status_code == 403
        with service.context.database.writing() as session:
            token = create_worker_token(session, "gpu-1", moment=service.context.clock())
        headers = {"Authorization": f"Bearer {token}"}
        for name in ("gpu-1", "gpu\x00", ""):
            answer = service.http.post(
                "/api/v1/worker/keys", json=body | {"worker": name}, headers=headers
            )
            assert answer.status_code == 404


class TestAttesting:
    def test_a_good_signature_attests(self, service, submitted):
        report, submission = submitted
        key_id = register(service).json()["id"]
        said = statement(submission, report, key_id)

        assert level(service, submission) == "reported"
        assert attest(service, submission, key_id, KEY.sign(said)).status_code == 204
        assert level(service, submission) == "attested"

    def test_the_evidence_can_be_checked_by_anyone(self, service, submitted):
        report, submission = submitted
        key_id = register(service).json()["id"]
        said = statement(submission, report, key_id)
        attest(service, submission, key_id, KEY.sign(said))

        url = f"/api/v1/submissions/{submission['id']}/evidence"
        *_, evidence = service.http.get(url).json()["evidence"]
        assert evidence["facts"] == {"statement": said, "signature": KEY.sign(said)}

    def test_twice_is_once(self, service, submitted):
        report, submission = submitted
        key_id = register(service).json()["id"]
        signature = KEY.sign(statement(submission, report, key_id))
        for _ in range(2):
            assert attest(service, submission, key_id, signature).status_code == 204

        url = f"/api/v1/submissions/{submission['id']}/evidence"
        kinds = [one["kind"] for one in service.http.get(url).json()["evidence"]]
        assert kinds.count("attestation") == 1

    def test_a_signature_of_another_submission(self, service, submitted, make_report):
        report, submission = submitted
        key_id = register(service).json()["id"]
        signature = KEY.sign(statement(submission, report, key_id))
        other = service.submit(make_report(seed=1)).json()

        answer = attest(service, other, key_id, signature)
        assert (answer.status_code, answer.json()["error"]) == (422, "attestation_refused")
        assert level(service, other) == "reported"

    def test_another_teams_submission(self, service, submitted):
        report, submission = submitted
        key_id = register(service, team="Beta").json()["id"]
        signature = KEY.sign(statement(submission, report, key_id))

        assert attest(service, submission, key_id, signature, team="Beta").status_code == 403

    def test_another_teams_key(self, service, submitted):
        report, submission = submitted
        key_id = register(service, team="Beta").json()["id"]
        signature = KEY.sign(statement(submission, report, key_id))

        answer = attest(service, submission, key_id, signature)
        assert answer.json()["error"] == "attestation_refused"

    def test_a_key_of_somebody_else_under_ones_own_id(self, service, submitted):
        report, submission = submitted
        key_id = register(service).json()["id"]
        signature = OTHER.sign(statement(submission, report, key_id))

        assert attest(service, submission, key_id, signature).status_code == 422

    def test_a_revoked_key_signs_no_more_and_what_it_signed_stays(
        self, service, submitted, make_report
    ):
        report, submission = submitted
        key_id = register(service).json()["id"]
        attest(service, submission, key_id, KEY.sign(statement(submission, report, key_id)))
        service.http.post(f"/api/v1/keys/{key_id}/revoke", headers=service.auth())
        later = make_report(seed=1)
        other = service.submit(later).json()

        answer = attest(service, other, key_id, KEY.sign(statement(other, later, key_id)))
        assert answer.status_code == 422
        assert level(service, other) == "reported"
        assert level(service, submission) == "attested"

    def test_what_is_no_signature(self, service, submitted):
        for signature in ("", "0" * 127, "g" * 128, "A" * 128):
            assert attest(service, submitted[1], "0" * 26, signature).status_code == 422

    def test_everything_is_in_the_log(self, service, submitted):
        report, submission = submitted
        key_id = register(service).json()["id"]
        attest(service, submission, key_id, KEY.sign(statement(submission, report, key_id)))
        service.http.post(f"/api/v1/keys/{key_id}/revoke", headers=service.auth())

        with service.context.database.reading() as session:
            assert audit.verify(session).problem is None
            tags = [event.tag for event in audit.repository.in_order(session)]
        wanted = ["key:registered", "submission:attested", "key:revoked"]
        assert [tag for tag in tags if tag in wanted] == wanted
