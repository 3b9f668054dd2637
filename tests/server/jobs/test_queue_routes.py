"""The queue, jobs, logs, cancellation and plans over HTTP: what whom is shown."""

import pytest

URL = "/api/v1"


@pytest.fixture
def submission(web, make_report):
    """The id of a submission of Alpha."""
    return web.service.submit(make_report()).json()["id"]


@pytest.fixture
def get(web):
    """`get(path, team)`: an answer of the API; without a team, for anybody."""

    def get(path, team=None):
        headers = web.service.auth(team) if team else {}
        return web.http.get(URL + path, headers=headers)

    return get


class TestQueue:
    def test_whose_team_used_workers_is_told_why_others_go_first(self, web, get, submission):
        web.add(submission=submission, charged=True)
        advert = {"name": "w1", "classes": ["tiny"]}
        url = f"{URL}/worker/leases"
        lease = web.http.post(url, json=advert, headers=web.auth()).json()["lease_id"]
        web.clock.pass_seconds(200)
        web.finish(lease)
        mine = web.add(submission=submission, charged=True)
        web.clock.pass_seconds(150)
        later = web.add()

        waiting = get("/queue").json()["waiting"]

        assert [(one["id"], one["reason"]["code"]) for one in waiting] == [
            (later, "in_line"),
            (mine, "fair_share"),
        ]
        assert "used 3 min of workers" in waiting[1]["reason"]["text"]

    def test_empty(self, get):
        queue = get("/queue").json()

        assert (queue["running"], queue["waiting"], queue["workers"]) == ([], [], [])

    def test_what_runs_and_what_waits_and_why(self, web, get, submission):
        web.http.post(
            f"{URL}/worker/leases",
            json={"name": "w1", "classes": ["tiny"]},
            headers=web.auth(),
        )
        first = web.add("train", submission=submission)
        web.add("evaluate", submission=submission, needs=(first,))
        web.add("train", "medium")
        lease = web.claim()
        web.beat(lease.id, stage="training")
        web.clock.pass_seconds(20)

        queue = get("/queue").json()

        (running,) = queue["running"]
        assert (running["id"], running["team"], running["method"]) == (first, "Alpha", "mine")
        assert running["reason"] == {
            "code": "running",
            "text": "running for 20 s at w1, last heard of 20 s ago",
        }
        assert running["ends"]["earliest"] == "2026-11-22T12:00:30Z"
        codes = [one["reason"]["code"] for one in queue["waiting"]]
        assert sorted(codes) == ["no_worker_class", "waits_for_job"]
        assert queue["workers"][0]["job_id"] == first

    def test_places_and_times(self, web, get):
        web.http.post(
            f"{URL}/worker/leases",
            json={"name": "w1", "classes": ["tiny"]},
            headers=web.auth(),
        )
        jobs = []
        for _ in range(2):
            jobs.append(web.add())
            web.clock.pass_seconds(1)

        first, second = get("/queue").json()["waiting"]

        assert [first["id"], second["id"]] == jobs
        assert (second["place"], second["of"]) == (2, 2)
        assert second["starts"] == {
            "earliest": "2026-11-22T12:00:32Z",
            "latest": "2026-11-22T12:02:02Z",
        }


class TestJob:
    @pytest.mark.parametrize("path", ["/jobs/" + "0" * 26, "/jobs/" + "0" * 26 + "/log"])
    def test_unknown(self, get, path):
        assert get(path, "Alpha").status_code == 404

    def test_its_attempts_and_outputs(self, web, get, submission):
        job = web.add(submission=submission)
        lease = web.claim()
        sha256 = web.artifact(lease_id=lease.id)
        web.finish(lease.id, outputs={"checkpoint": sha256})

        found = get(f"/jobs/{job}").json()

        assert (found["status"], found["team"], found["queued"]) == ("succeeded", "Alpha", None)
        assert [one["ending"] for one in found["attempts"]] == ["succeeded"]
        assert found["outputs"] == [{"role": "checkpoint", "sha256": sha256, "facts": {}}]

    def test_what_was_wrong_with_a_submission_is_its_teams(self, web, get, submission):
        job = web.add(submission=submission)
        web.finish(web.claim().id, "user")

        details = {team: get(f"/jobs/{job}", team).json()["detail"] for team in (None, "Beta")}

        assert details == {None: None, "Beta": None}
        assert get(f"/jobs/{job}", "Alpha").json()["detail"] == "because"

    def test_logs_are_its_teams(self, web, get, submission):
        job = web.add(submission=submission)
        web.claim()

        assert get(f"/jobs/{job}/log").status_code == 401
        assert get(f"/jobs/{job}/log", "Beta").status_code == 404
        page = get(f"/jobs/{job}/log", "Alpha").json()
        assert (page["text"], page["next_offset"], page["ended"]) == ("", 0, False)

    def test_what_a_team_does_not_pay_for_it_cannot_cancel(self, web, submission):
        """Else it could end the audit of its own numbers."""
        job = web.add(submission=submission)
        url = f"{URL}/jobs/{job}/cancel"

        assert web.http.post(url, headers=web.service.auth("Beta")).status_code == 404
        answer = web.http.post(url, headers=web.service.auth("Alpha"))
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
        assert web.job(job).status == "queued"

    def test_cancel(self, web, submission):
        job = web.add(submission=submission, charged=True)

        def cancel(team):
            return web.http.post(f"{URL}/jobs/{job}/cancel", headers=web.service.auth(team))

        assert cancel("Beta").status_code == 404
        assert cancel("Alpha").json()["status"] == "cancelled"
        assert cancel("Alpha").json()["detail"] == "cancelled by team:Alpha"


class TestVerification:
    def request(self, web, submission, team="Alpha", **body):
        return web.http.post(
            f"{URL}/submissions/{submission}/verification",
            json={"level": "re-trained"} | body,
            headers=web.service.auth(team),
        )

    def test_of_another_team(self, web, submission):
        assert self.request(web, submission, "Beta").status_code == 403

    def test_without_the_files(self, web, submission):
        answer = self.request(web, submission)

        assert (answer.status_code, answer.json()["error"]) == (422, "no_subset")

    @pytest.mark.parametrize("body", [{"level": "best"}, {"seeds": []}, {"seeds": [-1]}])
    def test_schema(self, web, submission, body):
        assert self.request(web, submission, **body).status_code == 422


class TestPages:
    def test_queue(self, web, submission):
        job = web.add(submission=submission)

        page = web.http.get("/queue").text

        assert f"/j/{job}" in page
        assert "no worker that takes &#39;tiny&#39; has been seen yet" in page

    def test_a_long_queue_is_cut_and_says_so(self, web, monkeypatch):
        monkeypatch.setattr("datacomp_server.jobs.queue_page.WAITING_SHOWN", 2)
        for _ in range(3):
            web.add()

        page = web.http.get("/queue").text

        assert page.count('href="/j/') == 2
        assert "the first 2 of 3" in page

    def test_lines_workers_and_what_teams_were_charged(self, web, submission):
        web.http.post(
            f"{URL}/worker/leases",
            json={"name": "gpu-1", "classes": ["tiny"]},
            headers=web.auth(),
        )
        web.add(submission=submission, charged=True, expected_seconds=1800)
        page = web.http.get("/queue").text
        assert '<span class="presence idle">1 idle</span>' in page
        assert "<bdi>Alpha</bdi>" in page
        assert ">30 min</td>" in page

        web.clock.pass_seconds(600)
        assert '<span class="presence silent">silent</span>' in web.http.get("/queue").text
        web.clock.pass_seconds(600)
        assert '<span class="presence away">away</span>' in web.http.get("/queue").text

    def test_empty_queue(self, web):
        assert "Nothing waits" in web.http.get("/queue").text

    def test_job(self, web, submission):
        job = web.add(submission=submission)
        web.finish(web.claim().id, "user")

        page = web.http.get(f"/j/{job}").text

        assert f"/s/{submission}" in page
        assert "because" not in page

    def test_unknown_job(self, web):
        answer = web.http.get("/j/" + "0" * 26, headers={"Accept": "text/html"})

        assert (answer.status_code, "<!doctype html>" in answer.text) == (404, True)
