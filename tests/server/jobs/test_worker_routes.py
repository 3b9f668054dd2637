"""The routes of workers over HTTP: who may call them, and what comes back."""

import pytest

from datacomp_server.jobs import workers
from datacomp_server.jobs.inputs import of_file

URL = "/api/v1/worker/leases"
ASK = {"name": "w1", "classes": ["tiny"]}


@pytest.fixture
def ask(web):
    """`ask(token, **values)`: a worker asks for a job."""

    def ask(token="machine", **values):
        return web.http.post(URL, json=ASK | values, headers=web.auth(token))

    return ask


@pytest.fixture
def call(web):
    """`call(lease_id, what, body)`: a worker writes under a lease."""

    def call(lease_id, what, token="machine", **body):
        return web.http.post(f"{URL}/{lease_id}/{what}", json=body, headers=web.auth(token))

    return call


class TestClaim:
    def test_anonymous(self, web):
        assert web.http.post(URL, json=ASK).status_code == 401

    def test_a_teams_token(self, web, service):
        assert web.http.post(URL, json=ASK, headers=web.service.auth()).status_code == 403

    def test_nothing_to_do(self, ask):
        answer = ask()

        assert (answer.status_code, answer.headers["retry-after"]) == (204, "10")
        assert answer.content == b""

    def test_a_job(self, web, ask):
        sha256 = web.artifact()
        job = web.add(params={"seed": 3, "inputs": {"subset": of_file(sha256)}})

        out = ask().json()

        assert out["job_id"] == job
        assert out["params"] == {"seed": 3}
        assert out["inputs"] == {"subset": {"sha256": sha256, "size": 7}}
        assert (out["attempt"], out["max_attempts"], out["beat_seconds"]) == (1, 3, 60)

    def test_the_services_own_jobs_are_not_for_workers(self, ask):
        assert ask(classes=["service"]).json()["error"] == "class_of_the_service"

    def test_a_name_belongs_to_a_token(self, ask):
        ask("machine")

        answer = ask("other")

        assert (answer.status_code, answer.json()["error"]) == (409, "worker_name_taken")
        assert ask("other", name="w2").status_code == 204

    def test_a_token_has_so_many_names(self, ask, monkeypatch):
        monkeypatch.setattr(workers, "MAX_WORKERS_OF_A_TOKEN", 2)

        assert [ask(name=f"w{n}").status_code for n in (1, 2, 1)] == [204, 204, 204]
        assert ask(name="w3").json()["error"] == "too_many_workers"

    @pytest.mark.parametrize(
        "body",
        [{"name": "two words"}, {"classes": []}, {"rank": 1}, {"pools": ["p\u202e"]}],
    )
    def test_schema(self, ask, body):
        assert ask(**body).status_code == 422


class TestLease:
    def test_beat(self, web, ask, call):
        web.add()
        lease = ask().json()["lease_id"]

        answer = call(lease, "beat", progress={"stage": "a\u202eb", "done": 1, "total": 9})

        assert answer.json()["cancel"] is False
        progress = web.http.get("/api/v1/queue").json()["running"][0]["progress"]
        assert progress == {"stage": "a\ufffdb", "done": 1, "total": 9}

    def test_finish_twice(self, web, ask, call):
        job = web.add()
        lease = ask().json()["lease_id"]

        for _ in range(2):
            answer = call(lease, "finish", outcome="succeeded")
            assert (answer.status_code, answer.json()) == (
                200,
                {"job_id": job, "status": "succeeded"},
            )

    @pytest.mark.parametrize(
        "body",
        [
            {"outcome": "failed"},
            {"outcome": "succeeded", "fault": "user"},
            {"outcome": "succeeded", "outputs": [{"role": "../x", "sha256": "a" * 64}]},
        ],
    )
    def test_ends_that_make_no_sense(self, web, ask, call, body):
        web.add()

        assert call(ask().json()["lease_id"], "finish", **body).status_code == 422

    def test_lost(self, web, ask, call):
        web.add()
        lease = ask().json()["lease_id"]
        web.clock.pass_seconds(301)
        web.expire()

        answer = call(lease, "beat")

        assert (answer.status_code, answer.json()["error"]) == (409, "lease_lost")

    def test_of_another_worker_is_as_if_it_were_not(self, web, ask, call):
        web.add()
        lease = ask().json()["lease_id"]

        others = call(lease, "beat", token="other")

        assert others.status_code == 404
        assert others.json() == call("0" * 26, "beat").json()

    def test_inputs(self, web, ask):
        sha256 = web.artifact(b"0123456789")
        web.add(params={"inputs": {"subset": of_file(sha256)}})
        lease = ask().json()["lease_id"]

        def get(role, **headers):
            url = f"{URL}/{lease}/inputs/{role}"
            return web.http.get(url, headers=web.auth() | headers)

        assert get("subset").content == b"0123456789"
        assert get("subset", Range="bytes=4-").content == b"456789"
        assert get("checkpoint").status_code == 404
        assert "it has: subset" in get("checkpoint").json()["detail"]


class TestLog:
    @pytest.fixture
    def write(self, web, ask):
        """`write(offset, data)`: a piece of the log of a claimed job."""
        web.add()
        url = f"{URL}/{ask().json()['lease_id']}/log"

        def write(offset, data):
            headers = {"Content-Type": "application/octet-stream", **web.auth()}
            return web.http.post(url, params={"offset": offset}, content=data, headers=headers)

        return write

    def test_pieces_and_pieces_again(self, write):
        assert write(0, b"hello ").json() == {"next_offset": 6}
        assert write(6, b"world").json() == {"next_offset": 11}
        assert write(0, b"hello ").json() == {"next_offset": 11}
        assert write(6, b"world!").json() == {"next_offset": 12}

    def test_a_gap(self, write):
        write(0, b"hello")

        answer = write(7, b"x")

        assert (answer.status_code, answer.json()["error"]) == (409, "wrong_offset")
        assert answer.headers["upload-offset"] == "5"
