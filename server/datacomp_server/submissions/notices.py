"""What keeps a submission from going on, and what to do about it: one sentence for everybody.

| code | |
|---|---|
| check_failed | the service could not check its files; that cost nothing |
| check_cancelled | somebody cancelled the check of its files |
| budget_spent | its training costs more than its team has left |
| not_trained | no training of it is under way, though its team could pay for one |

Computed when it is shown, so that its numbers are those of the moment. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datacomp_server.budgets.service import told
from datacomp_server.jobs.costs import Costs
from datacomp_server.jobs.drafting import training_seconds
from datacomp_server.jobs.models import HOPELESS, Job
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.states import State


@dataclass(frozen=True)
class Notice:
    """A stable code, a sentence, and the command that its team may then give."""

    code: str
    text: str
    command: str


def notice_of(
    submission: Submission,
    state: State,
    jobs: Sequence[Job],
    costs: Costs,
    left: Callable[[Submission], int],
) -> Notice | None:
    """What keeps a submission without numbers, that takes part, in its state; None if nothing.

    `left` is asked for the worker seconds that its team has left on its board.
    """
    if state is State.UNCHECKED:
        return _of_check(submission, [job for job in jobs if job.kind == "check"][-1])
    trains = any(job.kind == "train" and job.status not in HOPELESS for job in jobs)
    if state is not State.ACCEPTED or submission.kind == "report" or trains:
        return None
    return _of_training(submission, jobs, costs, left(submission))


def _of_check(submission: Submission, check: Job) -> Notice:
    command = f"datacomp request {submission.id} checked"
    if check.status == "cancelled":
        return Notice("check_cancelled", f"The check of its files was {check.detail}.", command)
    text = (
        f"The service could not check its files: {check.detail}. That is no fault of its team, "
        "which has this submission back, and can have it checked again."
    )
    return Notice("check_failed", text, command)


def _of_training(submission: Submission, jobs: Sequence[Job], costs: Costs, left: int) -> Notice:
    command = f"datacomp request {submission.id} re-trained"
    board = submission.board
    needed = training_seconds(submission, jobs, costs[board.scale])
    cost = f"a training costs {told('compute_seconds', needed)}"
    has = f"its team has {told('compute_seconds', left)} left on the board {board.scale}"
    before = _why_not(jobs)
    if left < needed:
        text = (
            f"{before} {cost}, {has} ({board.track}). An organiser can grant more; then its team "
            "can ask for the training."
        )
        return Notice("budget_spent", text, command)
    text = f"{before} {cost}, {has} ({board.track}), and can ask for it."
    return Notice("not_trained", text, command)


def _why_not(jobs: Sequence[Job]) -> str:
    """The beginning of the sentence: what became of the last training, if there was one."""
    ended = [job for job in jobs if job.kind in ("filter", "train") and job.status in HOPELESS]
    if not ended:
        return "No worker trains on it:"
    last = max(ended, key=lambda job: (job.finished_at or job.created_at, job.id))
    how = "was cancelled" if last.status == "cancelled" else f"failed, {_FAULTS[last.fault or '']}"
    return f"Its {last.kind} job {last.id} {how}. Another try:"


_FAULTS = {
    "user": "by fault of what was submitted (its log says why)",
    "infrastructure": "by nobody's fault (refunded)",
}
