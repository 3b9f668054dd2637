"""Plans: the jobs that take a submission to a level of verification, each needing the one before.

| level | jobs |
|---|---|
| re-evaluated | evaluate (the submitted weights), score |
| re-trained | [filter,] train, evaluate, score |
| reproduced | the same for further seeds, until three are trained |

What is trained on is the submitted subset, what the plugin chooses, the whole pool if the reported
run had no subset, or, in the track byod, the pictures that the submitted addresses lead to.

A plan is made whole or not at all. What is under way or done is not planned again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.submission.levels import Level, parse_level
from datacomp_server.audit import service as audit
from datacomp_server.budgets import service as budgets
from datacomp_server.identity.callers import Caller, TeamCaller
from datacomp_server.jobs import drafts
from datacomp_server.jobs.costs import Costs
from datacomp_server.jobs.drafting import Drafting
from datacomp_server.jobs.drafts import Draft
from datacomp_server.jobs.models import Job
from datacomp_server.kit.errors import Conflict, Forbidden, Refused, ServerError
from datacomp_server.submissions.marks import demand_part
from datacomp_server.submissions.models import Submission

PLANNED = (Level.RE_EVALUATED, Level.RE_TRAINED, Level.REPRODUCED)


@dataclass(frozen=True)
class Option:
    """What would lead to a level: its jobs, or why there is no way to it (now)."""

    level: Level
    drafts: tuple[Draft, ...]
    refusal: ServerError | None = None

    @property
    def charged_seconds(self) -> int:
        """What its team would pay."""
        return sum(draft.charged_seconds for draft in self.drafts)


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


def options(session: Session, submission: Submission, costs: Costs) -> list[Option]:
    """Every level that jobs lead to, and what it takes from here."""
    found = []
    for level in PLANNED:
        try:
            found.append(Option(level, tuple(draft(session, submission, level, None, costs))))
        except (Refused, Conflict) as refusal:
            found.append(Option(level, (), refusal))
    return found


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
    """Put the jobs that lead to `level` in the line; raises what `draft` does.

    `Refused` (budget_spent) if the team is charged and has not enough for all of it.
    """
    drafted = draft(session, submission, level, seeds, costs)
    charge_to = submission.board if charged else None
    if charge_to is not None:
        budgets.demand(
            session,
            team_id=submission.team_id,
            board_id=charge_to.id,
            unit="compute_seconds",
            amount=sum(one.charged_seconds for one in drafted),
        )
    jobs = drafts.enqueue(session, submission, drafted, by=by, moment=moment, charge_to=charge_to)
    audit.record(
        session,
        tag="verification:planned",
        subject_id=submission.id,
        actor=by,
        facts={"level": level.label, "jobs": [job.id for job in jobs]},
        moment=moment,
    )
    return jobs


def draft(
    session: Session,
    submission: Submission,
    level: Level,
    seeds: Sequence[int] | None,
    costs: Costs,
) -> list[Draft]:
    """The jobs that lead to `level`; `seeds` of trainings default to what the level lacks.

    `Refused`: not_accepted; withdrawn, disqualified; no_checkpoint, no_subset (the file that it
    takes was not handed in); no_recipe (of another version); bad_seeds (re-evaluation trains
    nothing). `Conflict` (already_planned) if all of it is under way or done.
    """
    if submission.verdict is None or not submission.verdict.accepted:
        raise Refused(f"submission {submission.id} is not accepted", code="not_accepted")
    demand_part(session, submission)
    drafting = Drafting(session, submission, costs[submission.board.scale])
    if level == Level.RE_EVALUATED:
        if seeds is not None:
            raise Refused("seeds are of trainings; this level trains nothing", code="bad_seeds")
        found = drafting.evaluation()
    elif level in (Level.RE_TRAINED, Level.REPRODUCED):
        wanted = seeds if seeds is not None else drafting.lacking(level)
        found = drafting.trainings(list(dict.fromkeys(wanted)))
    else:
        raise Refused(f"no job leads to the level {level.label}", code="no_such_plan")
    if not found:
        raise Conflict(
            f"what leads submission {submission.id} to {level.label} is under way or done already",
            code="already_planned",
        )
    return found
