"""Manifest first, files after: what is reserved, when it is checked, what the verdict says."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import save
from sqlalchemy import func, select

from datacomp_server.jobs.models import Job
from datacomp_server.submissions.models import Result, Submission, Verdict


def counted(desk, *tables):
    with desk.context.database.reading() as session:
        return tuple(session.scalar(select(func.count()).select_from(t)) for t in tables)


class TestWay:
    def test_from_manifest_to_verdict(self, desk, run):
        report, subset, weights = run
        answer = desk.post(subset, weights, report=report)
        posted = answer.json()

        assert (answer.status_code, posted["state"]) == (201, "uploading")
        assert posted["average"]["value"] is None
        assert all(file["upload"] for file in posted["files"])
        assert desk.upload(posted, subset).status_code == 200
        assert desk.get(posted["id"])["state"] == "uploading"
        assert desk.upload(posted, weights).status_code == 200
        assert desk.get(posted["id"])["state"] == "checking"
        assert desk.check() == 1
        accepted = desk.get(posted["id"])
        assert (accepted["state"], accepted["findings"]) == ("accepted", [])
        assert accepted["average"]["value"] == report.aggregates.average.value
        assert desk.service.http.get("/api/v1/boards/tiny").json()["rows"][0]["method"] == "mine"

    def test_nothing_stands_on_the_board_before(self, desk, run):
        report, subset, weights = run
        posted = desk.post(subset, weights, report=report).json()

        assert desk.service.http.get("/api/v1/boards/tiny").json()["rows"] == []
        page = desk.service.http.get(f"/s/{posted['id']}").text
        assert "files are on their way" in page
        assert subset.sha256 in page

    def test_upload_ids_are_for_its_team(self, desk, run):
        report, subset, weights = run
        posted = desk.post(subset, weights, report=report).json()

        assert all(file["upload"] is None for file in desk.get(posted["id"])["files"])

    def test_the_same_manifest_again_goes_on_where_it_was(self, desk, run):
        report, subset, weights = run
        first = desk.post(subset, weights, report=report).json()
        desk.upload(first, subset)

        again = desk.post(subset, weights, report=report)

        assert (again.status_code, again.json()["id"]) == (200, first["id"])
        uploads = {file["role"]: file["upload"] for file in again.json()["files"]}
        assert uploads["subset"] is None
        assert uploads["checkpoint"] is not None

    def test_files_that_are_here_are_not_asked_for_again(self, desk, run, of_subset, make_subset):
        report, subset, weights = run
        desk.hand_in(subset, weights, report=report)
        _, same = make_subset(range(100))
        second = of_subset(same, seed=1, checkpoint_sha256=weights.sha256)

        posted = desk.post(subset, weights, report=second).json()

        assert all(file["upload"] is None for file in posted["files"])
        assert posted["state"] == "checking"

    def test_that_another_team_has_a_file_helps_nobody(self, desk, run, make_report):
        report, subset, weights = run
        desk.hand_in(subset, weights, report=report)
        other = make_report(
            subset=report.run.subset.model_dump(exclude={"name"}),
            checkpoint_sha256=weights.sha256,
            seed=9,
        )

        posted = desk.post(subset, weights, report=other, team="Beta").json()

        assert all(file["upload"] for file in posted["files"])
        assert desk.check() == 0

    def test_a_subset_to_be_trained_on(self, desk, make_subset):
        subset, _ = make_subset(range(50))
        found = desk.hand_in(subset, kind="subset", scale="tiny", pool_id="p", seed=3)

        assert (found["state"], found["kind"], found["seed"]) == ("accepted", "subset", 3)
        assert (found["report_sha256"], found["average"]["value"]) == (None, None)
        queue = desk.service.http.get("/api/v1/queue").json()
        assert {job["kind"] for job in queue["waiting"]} == {"train", "evaluate", "score"}
        assert "It has no numbers" in desk.service.http.get(f"/s/{found['id']}").text
        assert desk.service.http.get(f"/api/v1/submissions/{found['id']}/report").status_code == 404


class TestRefusals:
    def test_another_subset_than_the_report_says(self, desk, run, make_subset):
        report, _, weights = run
        other, _ = make_subset(range(90))

        found = desk.hand_in(other, weights, report=report)

        assert found["state"] == "refused"
        assert {one["code"] for one in found["findings"]} == {"F107"}
        assert all(one["message"] for one in found["findings"])
        assert desk.service.http.get("/api/v1/boards/tiny").json()["rows"] == []
        assert counted(desk, Result) == (0,)

    def test_reasons_are_for_the_team_and_codes_for_all(self, desk, run, make_subset):
        report, _, weights = run
        other, _ = make_subset(range(90))
        refused = desk.hand_in(other, weights, report=report)
        shown = [desk.get(refused["id"], team) for team in (None, "Beta")]

        for found in shown:
            assert {one["code"] for one in found["findings"]} == {"F107"}
            assert {one["message"] for one in found["findings"]} == {None}
        page = desk.service.http.get(f"/s/{refused['id']}").text
        assert "F107" in page
        assert "90" not in page.split("<main")[1].split("<h3>")[0].replace(refused["id"], "")

    def test_a_second_try_with_the_right_file(self, desk, run, make_subset):
        report, subset, weights = run
        other, _ = make_subset(range(90))
        refused = desk.hand_in(other, weights, report=report)

        found = desk.hand_in(subset, weights, report=report)

        assert (found["state"], found["attempt"]) == ("accepted", 2)
        assert desk.get(refused["id"])["state"] == "refused"

    def test_the_same_wrong_files_again_are_the_same_refusal(self, desk, run, make_subset):
        report, _, weights = run
        other, _ = make_subset(range(90))
        refused = desk.hand_in(other, weights, report=report)

        again = desk.post(other, weights, report=report)

        assert (again.status_code, again.json()["id"]) == (200, refused["id"])
        assert counted(desk, Submission, Verdict) == (1, 1)

    def test_weights_that_are_a_pickle(self, desk, run, make_file, make_report):
        _, subset, _ = run
        weights = make_file("checkpoint", pickle.dumps({"w": [1.0]}))
        report = run[0].run.subset.model_dump(exclude={"name"})

        found = desk.hand_in(
            subset,
            weights,
            report=make_report(subset=report, checkpoint_sha256=weights.sha256),
        )

        assert found["state"] == "refused"
        assert {one["code"][:2] for one in found["findings"]} == {"F2"}

    def test_weights_of_another_model_than_the_recipe_names(
        self, desk, make_file, make_subset, of_subset
    ):
        file, subset = make_subset(range(100))
        weights = make_file("checkpoint", save({"w": np.arange(6, dtype=np.float32)}))

        found = desk.hand_in(
            file, weights, report=of_subset(subset, checkpoint_sha256=weights.sha256)
        )

        assert found["state"] == "refused"
        assert [one["code"] for one in found["findings"]] == ["F208"]


class TestTime:
    def test_the_board_closes_between_manifest_and_last_file(self, desk, run):
        report, subset, weights = run
        desk.set_times(closes_in=60)
        posted = desk.post(subset, weights, report=report).json()
        desk.clock.pass_seconds(61)

        again = desk.post(subset, weights, report=report)
        for file in (subset, weights):
            assert desk.upload(posted, file).status_code == 200
        desk.check()

        assert again.status_code == 200
        assert desk.get(posted["id"])["state"] == "accepted"

    @pytest.mark.parametrize("late", [False, True])
    def test_the_last_moment(self, desk, run, late):
        report, subset, weights = run
        desk.set_times(closes_in=60)
        desk.clock.pass_seconds(60 if late else 59.999)

        answer = desk.post(subset, weights, report=report)

        assert answer.status_code == (422 if late else 201)
        if late:
            (finding,) = answer.json()["findings"]
            assert finding["code"] == "S110"
            assert "closed at 2026-11-22 12:01:00 UTC" in finding["message"]
            assert counted(desk, Submission) == (0,)

    def test_before_it_opens(self, desk, run):
        desk.set_times(opens_in=60)

        answer = desk.post(report=run[0])

        assert [one["code"] for one in answer.json()["findings"]] == ["S110"]

    def test_files_that_come_after_the_grace_change_nothing(self, make_desk, run):
        report, subset, weights = run
        desk = make_desk(upload_grace_seconds=100)
        posted = desk.post(subset, weights, report=report).json()
        desk.upload(posted, subset)
        desk.clock.pass_seconds(100)

        assert desk.upload(posted, weights).status_code == 200
        assert desk.check() == 0
        assert desk.get(posted["id"])["state"] == "expired"
        assert "had not come by" in desk.service.http.get(f"/s/{posted['id']}").text

    def test_what_expired_makes_room_while_the_board_is_open(self, make_desk, run):
        report, subset, weights = run
        desk = make_desk(upload_grace_seconds=100)
        first = desk.post(subset, weights, report=report).json()
        desk.clock.pass_seconds(100)

        second = desk.post(subset, weights, report=report)

        assert second.status_code == 201
        assert (second.json()["id"] != first["id"], second.json()["attempt"]) == (True, 2)
        assert desk.post(report=report, team="Beta").status_code == 409


class TestAtOnce:
    def test_the_same_manifest_eight_times(self, desk, run):
        report, subset, weights = run
        desk.service.token()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: desk.post(subset, weights, report=report), range(8)))

        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        ids = {file["upload"] for answer in answers for file in answer.json()["files"]}
        assert len(ids) == 2

    def test_two_last_files_make_one_check(self, desk, run):
        report, subset, weights = run
        posted = desk.post(subset, weights, report=report).json()

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda file: desk.upload(posted, file), (subset, weights)))

        assert [answer.status_code for answer in answers] == [200, 200]
        assert counted(desk, Job) == (1,)
        assert desk.get(posted["id"])["state"] == "checking"

    def test_manifests_while_files_arrive(self, desk, run):
        report, subset, weights = run
        posted = desk.post(subset, weights, report=report).json()
        work = [lambda: desk.post(subset, weights, report=report)] * 6
        work[1:1] = [lambda: desk.upload(posted, subset), lambda: desk.upload(posted, weights)]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda call: call(), work))

        assert {answer.status_code for answer in answers} == {200}
        assert counted(desk, Job) == (1,)

    def test_two_teams_with_one_report(self, desk, run):
        report, subset, weights = run
        teams = ("Alpha", "Beta")
        for team in teams:
            desk.service.token(team)

        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(lambda t: desk.post(subset, weights, report=report, team=t), teams)
            )

        assert sorted(answer.status_code for answer in answers) == [201, 409]
        (lost,) = [answer for answer in answers if answer.status_code == 409]
        assert lost.json()["error"] == "report_of_another_team"
        assert counted(desk, Submission) == (1,)
