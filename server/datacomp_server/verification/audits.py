"""Rules of random audits: commit to a seed first, draw later, verify whom it chooses."""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.submission.levels import Level
from datacomp_server.audit import service as audit
from datacomp_server.boards.models import Board
from datacomp_server.jobs.costs import Costs
from datacomp_server.jobs.plans import plan
from datacomp_server.kit.errors import Conflict, NotFound, Refused
from datacomp_server.submissions import service as submissions
from datacomp_server.verification import repository
from datacomp_server.verification.draw import commitment, draw
from datacomp_server.verification.models import AuditRound


def commit(
    session: Session, board: Board, *, seed: str, share: float, by: str, moment: datetime
) -> AuditRound:
    """Open a round: publish the seed's hash and the share of entries to be chosen.

    The seed stays with the organiser until the draw.
    """
    if not 0 < share <= 1:
        raise Refused(f"a share is above 0 and at most 1, got {share}", code="bad_share")
    made = AuditRound(
        board_id=board.id, commitment=commitment(seed), share=share, created_at=moment
    )
    session.add(made)
    session.flush()
    facts = {"board_id": board.id, "commitment": made.commitment, "share": share}
    audit.record(
        session, tag="audit:committed", subject_id=made.id, actor=by, facts=facts, moment=moment
    )
    return made


def draw_round(
    session: Session, round_id: str, *, seed: str, by: str, moment: datetime
) -> AuditRound:
    """Reveal the seed of a round, and choose among all that its board has accepted by now.

    `Refused` (wrong_seed) if it is not the seed that was committed to, `Conflict` (drawn_already).
    """
    found = known(session, round_id)
    if found.drawn_at is not None:
        raise Conflict(f"round {round_id} was drawn at {found.drawn_at}", code="drawn_already")
    if commitment(seed) != found.commitment:
        raise Refused(
            f"the seed's hash is {commitment(seed)}, committed to was {found.commitment}: it is "
            "not the seed of this round",
            code="wrong_seed",
        )
    entries = repository.accepted_of_board(session, found.board_id)
    found.seed, found.drawn_at = seed, moment
    found.chosen = draw(seed, entries, found.share)
    session.flush()
    facts = {"seed": seed, "chosen": found.chosen, "n_entries": len(entries)}
    audit.record(
        session, tag="audit:drawn", subject_id=found.id, actor=by, facts=facts, moment=moment
    )
    return found


def verify_chosen(
    session: Session, round_id: str, by: str, costs: Costs, *, moment: datetime
) -> list[tuple[str, str]]:
    """Plan the verification of everyone that a round chose: id and what became of it.

    The submitted weights are evaluated; where there are none, the submitted subset is trained on.
    """
    found = known(session, round_id)
    if found.chosen is None:
        raise Conflict(f"round {round_id} has not been drawn yet", code="not_drawn")
    return [(one, _verify(session, one, by, costs, moment)) for one in found.chosen]


def check_round(session: Session, round_id: str) -> list[str]:
    """What is wrong with a drawn round, as sentences; empty if anyone would have drawn the same."""
    found = known(session, round_id)
    if found.seed is None or found.drawn_at is None:
        return ["it has not been drawn yet"]
    problems = []
    if commitment(found.seed) != found.commitment:
        problems.append(f"its seed hashes to {commitment(found.seed)}, not to {found.commitment}")
    entries = repository.accepted_of_board(session, found.board_id, by=found.drawn_at)
    expected = draw(found.seed, entries, found.share)
    missing = sorted(set(expected) - set(found.chosen or ()))
    extra = sorted(set(found.chosen or ()) - set(expected))
    problems += [f"{one} should have been chosen" for one in missing]
    problems += [f"{one} should not have been chosen" for one in extra]
    return problems


def known(session: Session, round_id: str) -> AuditRound:
    """The round of that id; `NotFound` if there is none."""
    found = session.get(AuditRound, round_id)
    if found is None:
        raise NotFound(f"there is no audit round {round_id!r}; see: datacomp admin audit list")
    return found


def _verify(session: Session, submission_id: str, by: str, costs: Costs, moment: datetime) -> str:
    submission = submissions.get(session, submission_id)
    roles = {file.role for file in submission.files}
    if "checkpoint" in roles:
        level = Level.RE_EVALUATED
    elif roles & {"subset", "plugin"}:
        level = Level.RE_TRAINED
    else:
        return "was handed in without files: nothing to verify it by"
    try:
        jobs = plan(session, submission, level, None, by, costs, moment=moment)
    except (Conflict, Refused) as told:  # planned already, or out of the competition
        return told.detail
    return f"{len(jobs)} jobs queued, to be {level.label}"
