"""Plans of verification, their charges, and what comes back when they fail."""

import pytest

from datacomp.submission.levels import Level
from datacomp.training import load_scale
from datacomp_server.artifacts.models import Artifact
from datacomp_server.budgets import service as budgets
from datacomp_server.jobs import plans
from datacomp_server.jobs.costs import COSTS
from datacomp_server.jobs.views import verification_out
from datacomp_server.kit.errors import Conflict, Refused
from datacomp_server.submissions.models import Result, Submission, SubmissionFile, Verdict

UNIT = "compute_seconds"
_REPORTED = {
    **{"source": "reported", "report_sha256": "d" * 64, "suite": "tiny", "suite_sha256": "e" * 64},
    **{"recipe_id": load_scale("tiny").recipe_id, "pool_id": "p", "pool_size": 1000, "seed": 7},
    **{"subset_sha256": "5" * 64, "subset_n": 1000, "subset_unique": 990, "groups": {}},
    "tasks": {"values": {}, "stderrs": {}},
}
OWN = {"byod": {"rows": 5001, "pool_id": "own"}}


@pytest.fixture
def submit(queue, team):
    """`submit(files, **values)`: an accepted submission of Alpha to the tiny board; its id."""

    def make(*files, accepted=True, facts_of_files=None, reported=None, **values):
        from datacomp_server.boards.opening import find_board, suite_sha256

        facts = {"kind": "report", "method": "mine", "oracle": False, "attempt": 1}
        facts |= {"manifest_sha256": "c" * 64, "report_sha256": "d" * 64, "pool_id": "p"}
        facts |= {"seed": 7, "validator": "v", "files_until": queue.clock()}
        with queue.context.database.writing() as session:
            session.add(Artifact(sha256="d" * 64, size=1))
            board = find_board(session, "filtering", "tiny", suite_sha256("tiny"))
            made = Submission(team_id=team_id, board_id=board.id, **facts | values)
            session.add(made)
            session.flush()
            for number, role in enumerate(files):
                sha256 = str(number) * 64
                session.add_all(
                    [
                        Artifact(sha256=sha256, size=1),
                        SubmissionFile(submission_id=made.id, role=role, sha256=sha256, size=1),
                    ]
                )
            if accepted:
                verdict = {"findings": [], "facts": facts_of_files or {}, "validator": "v"}
                session.add(Verdict(submission_id=made.id, accepted=True, **verdict))
            if reported is not None:
                session.add(Result(submission_id=made.id, **_REPORTED | reported))
            return made.id

    team_id = team("Alpha")
    return make


@pytest.fixture
def plan(queue):
    """`plan(submission_id, level)`: the kinds and ids of the jobs that it made."""

    def make(submission_id, level, seeds=None, charged=True):
        with queue.context.database.writing() as session:
            found = session.get(Submission, submission_id)
            jobs = plans.plan(
                session,
                found,
                level,
                seeds,
                "team:Alpha",
                queue.context.settings.job_costs,
                moment=queue.clock(),
                charged=charged,
            )
            return [(job.kind, job.id) for job in jobs]

    return make


@pytest.fixture
def spent(queue):
    """`spent(submission_id)`: the compute seconds that its team has paid and not got back."""

    def sum_up(submission_id):
        with queue.context.database.reading() as session:
            found = session.get(Submission, submission_id)
            left = budgets.balance(session, found.team_id, found.board_id, UNIT)
            return found.board.compute_seconds_per_team - left

    return sum_up


def kinds(jobs):
    return [kind for kind, _ in jobs]


def finish(queue, lease, *roles):
    outputs = {
        role: queue.artifact(f"{lease.id}{role}".encode(), lease_id=lease.id) for role in roles
    }
    return queue.finish(lease.id, outputs=outputs)


class TestPlan:
    def test_re_evaluated(self, queue, submit, plan, spent):
        made = submit("checkpoint")

        jobs = plan(made, Level.RE_EVALUATED)

        assert kinds(jobs) == ["evaluate", "score"]
        lease = queue.claim()
        assert lease.inputs == {"checkpoint": "0" * 64, "report": "d" * 64}
        assert lease.job.params["suite"] == "tiny"
        assert spent(made) == COSTS["tiny"].evaluate

    def test_re_trained(self, queue, submit, plan, spent):
        made = submit("subset")

        jobs = plan(made, Level.RE_TRAINED)

        assert kinds(jobs) == ["train", "evaluate", "score"]
        assert spent(made) == 300 + 120
        train = queue.claim(pools=("p",))
        assert (train.job.params["seed"], train.inputs) == (7, {"subset": "0" * 64})
        finish(queue, train, "checkpoint", "run")
        evaluate = queue.claim()
        assert set(evaluate.inputs) == {"checkpoint", "run"}
        finish(queue, evaluate, "report")
        score = queue.claim(classes=("service",))
        assert score.job.params["source"] == "trained"
        assert set(score.inputs) == {"report"}

    def test_a_run_on_the_whole_pool_needs_no_subset(self, queue, submit, plan):
        made = submit(reported={})

        plan(made, Level.RE_TRAINED)

        train = queue.claim(pools=("p",))
        assert (train.inputs, train.job.params["whole_pool"]) == ({}, "5" * 64)

    def test_a_run_on_a_part_of_it_does(self, submit, plan):
        with pytest.raises(Refused, match=r"Withdraw it .* then hand the same report in"):
            plan(submit(reported={"subset_n": 999}), Level.RE_TRAINED)

    def test_a_variant_of_the_recipe_is_trained_again(self, queue, submit, plan):
        sequential = load_scale("tiny", "sequential").recipe_id
        plan(submit("subset", reported={"recipe_id": sequential}), Level.RE_TRAINED)

        assert queue.claim(pools=("p",)).job.params["variant"] == "sequential"

    def test_a_recipe_of_another_version_is_not(self, submit, plan):
        with pytest.raises(Refused) as refused:
            plan(submit("subset", reported={"recipe_id": "9" * 64}), Level.RE_TRAINED)

        assert refused.value.error == "no_recipe"

    def test_own_data_go_to_workers_that_may_fetch_them(self, queue, submit, plan, spent):
        made = submit("byod", kind="byod", report_sha256=None, facts_of_files=OWN)

        jobs = plan(made, Level.RE_TRAINED)

        assert kinds(jobs) == ["train", "evaluate", "score"]
        assert spent(made) == 300 + 101 + 120  # a second for each 50 addresses
        assert queue.claim(pools=("p",)) is None
        train = queue.claim(classes=("tiny-byod",))
        assert (train.inputs, train.job.pool_id) == ({"byod": "0" * 64}, None)
        assert "whole_pool" not in train.job.params
        finish(queue, train, "checkpoint", "run")
        assert queue.claim().job.kind == "evaluate"

    @pytest.mark.parametrize(
        ("reported", "told"),
        [
            ({"pool_id": "own"}, "5" * 64),
            ({"pool_id": "sources-1", "subset_n": 3}, None),
        ],
    )
    def test_a_run_on_own_data(self, queue, submit, plan, reported, told):
        plan(submit("byod", reported=reported, facts_of_files=OWN), Level.RE_TRAINED)

        assert queue.claim(classes=("tiny-byod",)).job.params.get("whole_pool") == told

    def test_a_run_on_a_part_of_own_data(self, queue, submit, plan):
        reported = {"pool_id": "own", "subset_n": 3}
        with pytest.raises(Refused, match="without its subset"):
            plan(submit("byod", reported=reported, facts_of_files=OWN), Level.RE_TRAINED)

    def test_a_run_on_a_part_of_own_data_with_its_subset(self, queue, submit, plan):
        reported = {"pool_id": "own", "subset_n": 3}
        plan(submit("byod", "subset", reported=reported, facts_of_files=OWN), Level.RE_TRAINED)
        assert set(queue.claim(classes=("tiny-byod",)).inputs) == {"byod", "subset"}

    def test_a_plugin_is_run_once_for_all_seeds(self, queue, submit, plan):
        made = submit("plugin", "selection", kind="plugin", report_sha256=None)

        jobs = plan(made, Level.REPRODUCED)

        assert kinds(jobs) == ["filter"] + ["train", "evaluate", "score"] * 3
        assert queue.claim(pools=("p",)) is None
        lease = queue.claim(classes=("plugins",), pools=("p",))
        assert set(lease.inputs) == {"plugin", "selection"}
        finish(queue, lease, "subset", "lock")
        assert {queue.claim(pools=("p",)).job.params["seed"] for _ in range(2)} <= {7, 0, 1}

    def test_reproduction_adds_what_is_lacking(self, submit, plan, queue):
        made = submit("subset")
        plan(made, Level.RE_TRAINED)

        jobs = plan(made, Level.REPRODUCED, charged=False)

        seeds = [queue.job(job).params["seed"] for kind, job in jobs if kind == "train"]
        assert seeds == [0, 1]

    def test_nothing_is_planned_twice(self, submit, plan):
        made = submit("subset", "checkpoint")
        for level in (Level.RE_EVALUATED, Level.RE_TRAINED, Level.REPRODUCED):
            plan(made, level, charged=False)

            with pytest.raises(Conflict, match="under way or done"):
                plan(made, level)

    def test_what_failed_may_be_planned_again(self, queue, submit, plan):
        made = submit("checkpoint")
        plan(made, Level.RE_EVALUATED)
        queue.finish(queue.claim().id, "user")

        assert kinds(plan(made, Level.RE_EVALUATED)) == ["evaluate", "score"]

    @pytest.mark.parametrize(
        ("level", "seeds", "code"),
        [
            (Level.RE_EVALUATED, None, "no_checkpoint"),
            (Level.RE_TRAINED, None, "no_subset"),
            (Level.RE_EVALUATED, [1], "bad_seeds"),
            (Level.ATTESTED, None, "no_such_plan"),
        ],
    )
    def test_refusals(self, submit, plan, level, seeds, code):
        with pytest.raises(Refused) as refused:
            plan(submit(), level, seeds)

        assert refused.value.error == code

    def test_only_what_was_accepted(self, submit, plan):
        with pytest.raises(Refused, match="is not accepted"):
            plan(submit("subset", accepted=False), Level.RE_TRAINED)

    def test_a_budget_that_does_not_cover_all_of_it_pays_none_of_it(
        self, queue, submit, plan, spent
    ):
        made = submit("subset")
        with queue.context.database.writing() as session:
            found = session.get(Submission, made)
            before = found.board.compute_seconds_per_team - 400
            whose = {"team_id": found.team_id, "board_id": found.board_id, "unit": UNIT}
            budgets.charge(session, amount=before, by="test", moment=queue.clock(), **whose)

        with pytest.raises(Refused) as refused:
            plan(made, Level.RE_TRAINED)

        assert refused.value.error == "budget_spent"
        assert "0.12 worker hours needed, 0.11 worker hours left" in refused.value.detail
        assert (spent(made), queue.claim(pools=("p",))) == (before, None)


class TestWays:
    """What a team is told before it asks."""

    def ways(self, queue, submission_id):
        with queue.context.database.reading() as session:
            found = session.get(Submission, submission_id)
            ways = plans.options(session, found, queue.context.settings.job_costs)
            return verification_out(session, found, "reported", ways).model_dump()

    def test_each_level_with_its_price_or_why_not(self, queue, submit, plan):
        made = submit("subset")

        found = self.ways(queue, made)

        refused, trained, reproduced = found["ways"]
        assert (found["level"], found["left_in_words"]) == ("reported", "168.00 worker hours")
        assert refused["refusal"]["code"] == "no_checkpoint"
        assert (trained["kinds"], trained["costs"]) == (["train", "evaluate", "score"], 420)
        assert (reproduced["level"], reproduced["costs"]) == ("reproduced", 3 * 420)
        assert queue.claim(pools=("p",)) is None  # nothing was planned

        plan(made, Level.RE_TRAINED)
        found = self.ways(queue, made)
        assert found["ways"][1]["refusal"]["code"] == "already_planned"
        assert found["left"] == found["granted"] - 420


class TestRefunds:
    def test_infrastructure_that_failed_for_good_and_all_that_waited(
        self, queue, submit, plan, spent
    ):
        made = submit("subset")
        plan(made, Level.RE_TRAINED)
        for attempt in range(3):
            assert spent(made) == 420
            queue.clock.pass_seconds(4000)
            queue.finish(queue.claim(f"w{attempt}", pools=("p",)).id, "infrastructure")

        assert spent(made) == 0

    def test_a_fault_of_the_user_pays_for_what_was_done_only(self, queue, submit, plan, spent):
        made = submit("subset")
        plan(made, Level.RE_TRAINED)

        queue.finish(queue.claim(pools=("p",)).id, "user")

        assert spent(made) == 300

    def test_cancelled_before_it_began(self, queue, submit, plan, spent):
        made = submit("subset")
        (_, train), *_ = plan(made, Level.RE_TRAINED)

        queue.cancel(train)
        queue.cancel(train)

        assert spent(made) == 0

    def test_cancelled_while_it_ran(self, queue, submit, plan, spent):
        made = submit("subset")
        (_, train), *_ = plan(made, Level.RE_TRAINED)
        lease = queue.claim(pools=("p",))
        queue.cancel(train)

        queue.finish(lease.id, "infrastructure")

        assert spent(made) == 300

    def test_success_costs(self, queue, submit, plan, spent):
        made = submit("checkpoint")
        plan(made, Level.RE_EVALUATED)

        finish(queue, queue.claim(), "report")

        assert spent(made) == 120

    def test_an_organisers_plan_costs_nothing_and_takes_no_share(self, queue, submit, plan, spent):
        made = submit("checkpoint")
        (_, job), *_ = plan(made, Level.RE_EVALUATED, charged=False)

        assert (spent(made), queue.job(job).team_id) == (0, None)
