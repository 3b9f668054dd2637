"""Plans: the jobs that take a submission to a level of verification, each needing the one before.

| level | jobs |
|---|---|
| re-evaluated | evaluate (the submitted weights), score |
| re-trained | [filter,] train, evaluate, score |
| reproduced | the same for further seeds, until three are trained |

A plan is made whole or not at all. What is under way or done is not planned again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.submission.levels import Level, parse_level
from datacomp_server.audit import service as audit
from datacomp_server.budgets import service as budgets
from datacomp_server.identity.callers import Caller, TeamCaller
from datacomp_server.jobs import repository, service
from datacomp_server.jobs.costs import Cost, Costs
from datacomp_server.jobs.inputs import of_file, of_job
from datacomp_server.jobs.models import HOPELESS, PLUGINS, SERVICE, Job
from datacomp_server.kit.errors import Conflict, Forbidden, Refused
from datacomp_server.submissions.marks import demand_part
from datacomp_server.submissions.models import Submission
from datacomp_server.verification.levels import REPRODUCING_SEEDS

_SCORE_SECONDS = 60


def request(
    session: Session,
    submission: Submission,
    level: str,
    seeds: Sequence[int] | None,
    caller: Caller,
    costs: Costs,
    *,
    moment: datetime,
) -> list[Job]:
    """A plan that a team asks for and pays, or an organiser for nothing.

    `Forbidden` for another team, and all that `plan` raises.
    """
    if not caller.may_see(submission.team_id):
        raise Forbidden("only its own team and organisers may have a submission verified")
    return plan(
        session,
        submission,
        parse_level(level),
        seeds,
        caller.actor,
        costs,
        moment=moment,
        charged=isinstance(caller, TeamCaller),
    )


def plan(
    session: Session,
    submission: Submission,
    level: Level,
    seeds: Sequence[int] | None,
    by: str,
    costs: Costs,
    *,
    moment: datetime,
    charged: bool = False,
) -> list[Job]:
    """The jobs that lead to `level`; `seeds` of trainings default to what the level lacks.

    `Refused`: not_accepted; withdrawn, disqualified; no_checkpoint, no_subset (the file that it
    takes was not handed in); bad_seeds (re-evaluation trains nothing); budget_spent. `Conflict`
    (already_planned) if all of it is under way or done.
    """
    if submission.verdict is None or not submission.verdict.accepted:
        raise Refused(f"submission {submission.id} is not accepted", code="not_accepted")
    demand_part(session, submission)
    cost = costs[submission.board.scale]
    planner = _Planner(session, submission, by, cost, moment, charged)
    if level == Level.RE_EVALUATED:
        if seeds is not None:
            raise Refused("seeds are of trainings; this level trains nothing", code="bad_seeds")
        jobs = planner.evaluation()
    elif level in (Level.RE_TRAINED, Level.REPRODUCED):
        wanted = seeds if seeds is not None else planner.lacking(level)
        jobs = planner.trainings(list(dict.fromkeys(wanted)))
    else:
        raise Refused(f"no job leads to the level {level.label}", code="no_such_plan")
    if not jobs:
        raise Conflict(
            f"what leads submission {submission.id} to {level.label} is under way or done already",
            code="already_planned",
        )
    audit.record(
        session,
        tag="verification:planned",
        subject_id=submission.id,
        actor=by,
        facts={"level": level.label, "jobs": [job.id for job in jobs]},
        moment=moment,
    )
    return jobs


def training_seconds(
    submission: Submission, jobs: Iterable[Job], cost: Cost, n_seeds: int = 1
) -> int:
    """What trainings of a submission with new seeds are charged, beside the `jobs` that it has."""
    hope = {job.kind for job in jobs if job.status not in HOPELESS}
    selecting = cost.filter if submission.kind == "plugin" and "filter" not in hope else 0
    return selecting + n_seeds * (cost.train + cost.evaluate)


class _Planner:
    """Makes the jobs of one plan."""

    def __init__(
        self,
        session: Session,
        submission: Submission,
        by: str,
        cost: Cost,
        moment: datetime,
        charged: bool,
    ) -> None:
        self.session, self.submission = session, submission
        self.by, self.moment = by, moment
        self.board = submission.board
        self.charge_to = self.board if charged else None
        self.cost = cost
        self.files = {file.role: file.sha256 for file in submission.files}
        self.known = repository.hopeful(session, submission.id)

    def evaluation(self) -> list[Job]:
        """Evaluate the submitted weights; nothing if that is under way or done."""
        if any(job.params.get("source") == "evaluated" for job in self.known):
            return []
        report = self.submission.report_sha256
        if "checkpoint" not in self.files or report is None:
            raise self._missing("checkpoint", "re-evaluated")
        inputs = {"checkpoint": of_file(self.files["checkpoint"]), "report": of_file(report)}
        return self._measured(inputs, (), source="evaluated", seed=self.submission.seed)

    def trainings(self, seeds: Sequence[int]) -> list[Job]:
        """Train on the submitted subset with each of `seeds` that is not under way or done."""
        trained = self._trained()
        new = [seed for seed in seeds if seed not in trained]
        if not new:
            return []
        self._demand(training_seconds(self.submission, self.known, self.cost, len(new)))
        jobs, subset, needs = self._subset()
        for seed in new:
            train = self._work(
                "train",
                {"scale": self.board.scale, "seed": seed, "subset_name": self.submission.method},
                {"subset": subset},
                needs,
                self.cost.train,
            )
            inputs = {"checkpoint": of_job(train, "checkpoint"), "run": of_job(train, "run")}
            jobs += [train, *self._measured(inputs, (train,), source="trained", seed=seed)]
        return jobs

    def lacking(self, level: Level) -> list[int]:
        """The seeds that a level takes: the submission's own, and for reproduction further ones."""
        own = self.submission.seed
        if level == Level.RE_TRAINED:
            return [own]
        candidates = [own, *(seed for seed in range(2 * REPRODUCING_SEEDS) if seed != own)]
        trained = self._trained()
        missing = max(0, REPRODUCING_SEEDS - len(trained))
        return [seed for seed in candidates if seed not in trained][:missing]

    def _trained(self) -> set[int]:
        return {job.params["seed"] for job in self.known if job.params.get("source") == "trained"}

    def _subset(self) -> tuple[list[Job], dict[str, str], tuple[Job, ...]]:
        """New jobs that make the subset, where it is to be found, and what has to end before."""
        if "subset" in self.files:
            return [], of_file(self.files["subset"]), ()
        if self.submission.kind != "plugin":
            raise self._missing("subset", "re-trained")
        known = next((job for job in self.known if job.kind == "filter"), None)
        if known is not None:
            return [], of_job(known, "subset"), (known,)
        inputs = {role: of_file(self.files[role]) for role in ("plugin", "selection")}
        limit: dict[str, object] = {"wall_seconds": self.cost.filter}
        made = self._work("filter", limit, inputs, (), self.cost.filter)
        return [made], of_job(made, "subset"), (made,)

    def _measured(
        self, inputs: dict[str, dict[str, str]], needs: Sequence[Job], *, source: str, seed: int
    ) -> list[Job]:
        """Evaluate, then score; the score job says what it is the score of."""
        evaluate = self._work(
            "evaluate", {"suite": self.board.suite}, inputs, needs, self.cost.evaluate
        )
        found = {"report": of_job(evaluate, "report")}
        score = service.enqueue(
            self.session,
            kind="score",
            submission=self.submission,
            resource=SERVICE,
            pool_id=None,
            params={"source": source, "seed": seed, "inputs": found},
            needs=(evaluate,),
            expected_seconds=_SCORE_SECONDS,
            by=self.by,
            moment=self.moment,
            charge_to=None,
        )
        return [evaluate, score]

    def _work(
        self,
        kind: str,
        params: dict[str, object],
        inputs: dict[str, dict[str, str]],
        needs: Sequence[Job],
        seconds: int,
    ) -> Job:
        return service.enqueue(
            self.session,
            kind=kind,
            submission=self.submission,
            resource=PLUGINS if kind == "filter" else self.board.scale,
            pool_id=None if kind == "evaluate" else self.submission.pool_id,
            params=params | {"inputs": inputs},
            needs=needs,
            expected_seconds=seconds,
            by=self.by,
            moment=self.moment,
            charge_to=self.charge_to,
        )

    def _demand(self, seconds: int) -> None:
        if self.charge_to is not None:
            budgets.demand(
                self.session,
                team_id=self.submission.team_id,
                board_id=self.charge_to.id,
                unit="compute_seconds",
                amount=seconds,
            )

    def _missing(self, role: str, level: str) -> Refused:
        return Refused(
            f"submission {self.submission.id} came without its {role}, which {level} takes. Hand "
            "the same report in again with that file.",
            code=f"no_{role}",
        )
