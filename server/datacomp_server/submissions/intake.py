"""Taking a manifest in, exactly once; its files may come later.

A report is the key: the same team handing the same one in again gets the submission that stands,
another team is refused. Where there is no report, the team's manifest is the key. A submission
that was refused, withdrawn, or whose files never came makes room for its team's next one.

Everything of one manifest happens in one transaction: the row, its place, the charge, the room
for its files. What is small (report, lock, profile) is written and synced before that transaction
begins, so that no row ever names a file that is not there, and nobody waits for the disk while
holding the lock. Of what is refused then, the collector of garbage removes the file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from datacomp.files import sha256_json
from datacomp.reports import Finding
from datacomp_server.artifacts import service as artifacts
from datacomp_server.artifacts.models import Artifact
from datacomp_server.audit import service as audit
from datacomp_server.boards.models import Board
from datacomp_server.boards.opening import find_board, why_shut
from datacomp_server.budgets import service as budgets
from datacomp_server.context import Context
from datacomp_server.identity.callers import TeamCaller
from datacomp_server.identity.models import Team
from datacomp_server.jobs import repository as job_repository
from datacomp_server.jobs import service as jobs
from datacomp_server.jobs.models import SERVICE, Job
from datacomp_server.kit.db import add_rows
from datacomp_server.kit.errors import Conflict
from datacomp_server.kit.ids import new_id
from datacomp_server.submissions import marks, repository, verdicts
from datacomp_server.submissions.models import Claim, Submission, SubmissionFile
from datacomp_server.submissions.rules import ValidSubmission, refusal
from datacomp_server.submissions.states import State, state_of

_CHECK_SECONDS = 60


@dataclass(frozen=True)
class Receipt:
    """The submission that stands now; `created` says whether this call made it.

    `said` is what stands beside a report that was just accepted; None where one has to look.
    `uploads` has the id of the upload that waits for each of its files, None where it is here.
    """

    submission: Submission
    created: bool
    said: repository.Said | None
    uploads: dict[str, str | None]


def take_in(
    context: Context, caller: TeamCaller, valid: ValidSubmission, *, moment: datetime
) -> Receipt:
    """Store a submission of the caller's team, or return the same one that stands already.

    `Conflict` if the report is another team's or stands in other words; `Refused` if the board is
    shut, the budget spent, or there is no room for the files.
    """
    for data in (valid.report_json, valid.lock_json, valid.profile_json):
        if data is not None:
            context.artifacts.put_bytes(data)
    with context.database.writing() as session:
        claim = repository.claim(session, _key(valid, caller.team_id))
        standing = _standing(session, claim, caller, valid, moment) if claim else None
        made = standing or _create(session, context, caller, valid, claim, moment)
        has_files = standing is not None or valid.manifest.files
        uploads = _reserve(session, context, made, moment) if has_files else {}
        said = None
        if standing is None:
            _record(session, made, caller, moment)
            if not valid.manifest.files:
                said = verdicts.accept(session, made, valid.report, facts={}, moment=moment)
        return Receipt(made, standing is None, said, uploads)


def files_arrived(session: Session, team_id: str, sha256: str, moment: datetime) -> None:
    """Plan the check of each of a team's submissions that now has every file.

    Called in the transaction that completes an upload, which holds the team: of two last files
    that come at once, one sees both.
    """
    for submission in repository.awaiting(session, team_id, sha256):
        waits = _state(session, submission, moment) is State.UPLOADING
        if waits and marks.why_out(session, submission.id) is None:
            files = repository.files(session, submission.id)
            check_if_whole(session, submission, files, by="service", moment=moment)


def check_if_whole(
    session: Session,
    submission: Submission,
    files: Sequence[SubmissionFile],
    *,
    by: str,
    moment: datetime,
) -> Job | None:
    """Plan the check of a submission whose files are all here; None if one is not."""
    owner = artifacts.Owner(team_id=submission.team_id)
    if not all(artifacts.is_whole(session, owner, file.sha256, moment=moment) for file in files):
        return None
    return jobs.enqueue(
        session,
        kind="check",
        submission=submission,
        resource=SERVICE,
        pool_id=None,
        params={},
        expected_seconds=_CHECK_SECONDS,
        by=by,
        moment=moment,
        charge_to=None,
    )


def _state(session: Session, submission: Submission, moment: datetime) -> State:
    known = job_repository.of_submissions(session, [submission.id])
    return state_of(submission, known[submission.id], moment=moment)


def _standing(
    session: Session, claim: Claim, caller: TeamCaller, valid: ValidSubmission, moment: datetime
) -> Submission | None:
    """The submission that this manifest is, if one stands; None if there is room for a new one."""
    if claim.team_id != caller.team_id:
        raise Conflict(
            "another team has submitted this very report, nothing stored. A report stands for "
            "one training run and belongs to the team that submitted it first.",
            code="report_of_another_team",
        )
    found = session.get_one(Submission, claim.submission_id)
    said = {mark.kind for mark in repository.marks(session, [found.id])}
    if "disqualified" in said:
        raise Conflict(
            f"this report stood as {found.id}, which was disqualified", code="disqualified"
        )
    if "withdrawn" in said:
        return None
    state = _state(session, found, moment)
    same = found.manifest_sha256 == valid.manifest.sha256
    if state is State.REFUSED and found.verdict and found.verdict.validator == verdicts.VALIDATOR:
        return found if same else None
    if not state.stands:
        return None
    if not same:
        _demand_no_change(found, valid)
    return found


def _demand_no_change(found: Submission, valid: ValidSubmission) -> None:
    has = {(file.role, file.sha256) for file in found.files}
    new = [file.role for file in valid.manifest.files if (file.role, file.sha256) not in has]
    if found.method != valid.manifest.method:
        what = f"under the method name {found.method!r}"
    elif new:
        what = f"without this {' and '.join(sorted(new))}"
    else:
        return
    raise Conflict(
        f"this report stands already as {found.id}, {what}. Submissions are never changed; "
        f"to hand it in anew, withdraw that one first: datacomp withdraw {found.id}",
        code="report_stands_already",
    )


def _create(
    session: Session,
    context: Context,
    caller: TeamCaller,
    valid: ValidSubmission,
    claim: Claim | None,
    moment: datetime,
) -> Submission:
    manifest, board = valid.manifest, _open_board(session, valid, moment)
    made = Submission(
        id=new_id(),
        team_id=caller.team_id,
        team=session.get_one(Team, caller.team_id),
        board_id=board.id,
        board=board,
        kind=manifest.kind,
        method=manifest.method,
        description=manifest.description,
        oracle=valid.oracle,
        attempt=1 + repository.last_attempt(session, caller.team_id, board.id),
        manifest_sha256=manifest.sha256,
        report_sha256=_keep(session, valid.report_json, moment),
        lock_sha256=_keep(session, valid.lock_json, moment),
        profile_sha256=_keep(session, valid.profile_json, moment),
        pool_id=valid.pool_id,
        seed=valid.seed,
        validator=verdicts.VALIDATOR,
        files_until=moment + timedelta(seconds=context.settings.upload_grace_seconds),
        created_at=moment,
    )
    files = [SubmissionFile(submission_id=made.id, **file.model_dump()) for file in manifest.files]
    add_rows(session, made, *files)
    set_committed_value(made, "files", files)
    set_committed_value(made, "verdict", None)
    if claim is not None:
        claim.submission_id = made.id
    else:
        key = _key(valid, caller.team_id)
        add_rows(session, Claim(key=key, team_id=made.team_id, submission_id=made.id))
    budgets.charge(
        session,
        team_id=caller.team_id,
        board_id=board.id,
        unit="submissions",
        amount=1,
        submission_id=made.id,
        by=caller.actor,
        moment=moment,
    )
    return made


def _open_board(session: Session, valid: ValidSubmission, moment: datetime) -> Board:
    track, scale = valid.manifest.track, valid.scale
    board = find_board(session, track, scale, valid.suite_sha256)
    if board is None:
        message = f"there is no board for scale {scale!r} in the track {track!r}"
        raise refusal([Finding("S109", None, message)])
    if (reason := why_shut(board, moment)) is not None:
        message = f"the board {scale} ({track}) {reason}; it is {moment:%F %T} UTC here"
        raise refusal([Finding("S110", None, message)])
    return board


def _key(valid: ValidSubmission, team_id: str) -> str:
    if valid.report_json is not None:
        return hashlib.sha256(valid.report_json).hexdigest()
    return sha256_json([team_id, valid.manifest.sha256])


def _keep(session: Session, data: bytes | None, moment: datetime) -> str | None:
    """The row of a file that is in the store already."""
    if data is None:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    if not repository.is_kept(session, sha256):
        add_rows(session, Artifact(sha256=sha256, size=len(data), created_at=moment))
    return sha256


def _reserve(
    session: Session, context: Context, submission: Submission, moment: datetime
) -> dict[str, str | None]:
    """Room for the files of a submission that waits for them; its check, if all are here."""
    files = repository.files(session, submission.id)
    if _state(session, submission, moment) is not State.UPLOADING or not files:
        return {file.role: None for file in files}
    owner = artifacts.Owner(team_id=submission.team_id)
    uploads = {
        file.role: artifacts.reserve(
            session, context.settings, owner, sha256=file.sha256, size=file.size, moment=moment
        )
        for file in files
    }
    check_if_whole(session, submission, files, by="service", moment=moment)
    return {role: upload.id if upload else None for role, upload in uploads.items()}


def _record(session: Session, submission: Submission, caller: TeamCaller, moment: datetime) -> None:
    audit.record(
        session,
        tag="submission:received",
        subject_id=submission.id,
        actor=caller.actor,
        facts={
            "board": submission.board_id,
            "kind": submission.kind,
            "method": submission.method,
            "attempt": submission.attempt,
            "manifest_sha256": submission.manifest_sha256,
            "report_sha256": submission.report_sha256,
            "files": {file.role: file.sha256 for file in submission.files},
        },
        moment=moment,
    )
