"""The page of a submission: its report, its profile, its board, and what its subset shares."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError
from datacomp.reports import load_suite, parse_report
from datacomp.submission.profile import Profile, read_profile
from datacomp.submission.sketch import Sketch
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import available
from datacomp_leaderboard.data_portrait import DECLARED, MEASURED
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.fingerprint import Asked
from datacomp_leaderboard.pages import WaitingPage
from datacomp_leaderboard.submission import Details, Extras, build_submission
from datacomp_leaderboard.subset_overlap import Shared, shared
from datacomp_server.boards import published, trust
from datacomp_server.boards.data import Source, Version
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.boards.overlapping import sketches_of
from datacomp_server.kit.errors import BadRequest
from datacomp_server.submissions import repository, service
from datacomp_server.submissions.marks import OUT
from datacomp_server.submissions.models import Overlap, Result, Submission, SubsetSketch
from datacomp_server.submissions.views import where_it_stands

_COMPARED, _SHOWN = 200, 12
_LEAST_SHARED = 0.005


def submission(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """A submission with numbers, one that waits for them, or a published number."""
    session, row_id = source.session, params["submission_id"]
    found_published = published.page(session, row_id)
    if found_published is not None:
        only(query)
        return Made(found_published)
    asked = _asked(query)
    found = service.get(session, row_id)
    result = trust.shown(session, found)
    if result is None:
        return Made(_waiting_page(source, found))
    return _with_numbers(source, found, result, asked)


def version(session: Session, params: Mapping[str, str]) -> Version:
    """What changes a page besides boards. Of one without numbers: always, for times pass."""
    found = session.get(Submission, params["submission_id"])
    if found is not None and not repository.results_of(session, found.id):
        return (time.monotonic_ns(),)
    counts = (select(func.count()).select_from(one).scalar_subquery() for one in _COUNTED)
    return tuple(session.execute(select(*counts)).one())


_COUNTED = (SubsetSketch, Overlap)


def _asked(query: Query) -> Asked:
    values = only(query, "reference", "sort")
    try:
        return Asked.of(values.get("reference"), values.get("sort"))
    except UnknownNameError as error:
        raise BadRequest(str(error)) from error


def _with_numbers(source: Source, found: Submission, result: Result, asked: Asked) -> Made:
    session = source.session
    report = parse_report(source.artifacts.read_bytes(result.report_sha256), found.id)
    board = source.board(found.board.scale, found.board.track)
    if board.suite is None or board.suite.name != result.suite:
        board = replace(board, suite=load_suite(result.suite), entries=())
    profile, made_by = _profile(source, found, result)
    shares, words = _shares(session, board, found)
    base = f"/api/v1/submissions/{found.id}"
    details = Details(
        id=found.id,
        team=found.team.name,
        method=found.method,
        description=found.description,
        oracle=found.oracle,
        attempt=found.attempt,
        track=found.board.track,
        submitted_at=found.created_at,
        validator=found.validator,
        report_sha256=result.report_sha256,
        report_url=trust.report_url(result),
        lock_url=f"{base}/lock" if found.lock_sha256 else None,
        profile_url=f"{base}/profile" if found.profile_sha256 else None,
        verified=trust.verified(session, found, result),
    )
    extras = Extras(
        asked=asked,
        profile=profile,
        profile_source=made_by,
        shares=shares,
        shares_words=words,
        drawn=available(),
    )
    made = build_submission(details, report, board, extras)
    return Made(made.page, made.tables, made.charts)


def _profile(source: Source, found: Submission, result: Result) -> tuple[Profile | None, str]:
    """What a worker measured of the very run that is shown; else what its team handed in."""
    sha256, made_by = result.profile_sha256, MEASURED
    if sha256 is None:
        sha256, made_by = found.profile_sha256, DECLARED
    if sha256 is None:
        return None, made_by
    return read_profile(json.loads(source.artifacts.read_bytes(sha256))), made_by


def _shares(
    session: Session, board: BoardData, found: Submission
) -> tuple[list[tuple[Row, Shared]], str]:
    """The methods whose subsets share most with a submission's, and of whom they are."""
    own = _sketch(session, found.id)
    if own is None:
        return [], (
            "Not known: its subset's file was not handed in, and nobody has trained on it here."
        )
    others = [
        r.row
        for r in board.ranked
        if r.row.pool_id == found.pool_id
        and (r.row.team, r.row.method) != (found.team.name, found.method)
    ][:_COMPARED]
    sketches = sketches_of(session, others)
    pairs = [(row, shared(own, sketches[row.id])) for row in others if row.id in sketches]
    pairs = [(row, one) for row, one in pairs if one.jaccard >= _LEAST_SHARED]
    pairs.sort(key=lambda pair: (-pair[1].jaccard, pair[0].id))
    return pairs[:_SHOWN], _words(others, len(sketches), len(pairs))


def _words(others: Sequence[Row], n_known: int, n_shared: int) -> str:
    if not n_known:
        return "No other method on this pool has handed in a subset to compare with."
    words = f"Compared with {n_known:,} other methods of the board whose subsets were handed in"
    if len(others) == _COMPARED:
        words += f" (of its best {_COMPARED})"
    if not n_shared:
        return words + ": none shares half a percent with it."
    return words + (f"; the {_SHOWN} most alike are shown." if n_shared > _SHOWN else ".")


def _sketch(session: Session, submission_id: str) -> Sketch | None:
    found = session.get(SubsetSketch, submission_id)
    return Sketch.from_bytes(found.n_unique, found.hashes) if found is not None else None


def _waiting_page(source: Source, found: Submission) -> WaitingPage:
    session, costs = source.session, source.settings.job_costs
    state, notice = where_it_stands(session, found, costs, source.moment)
    marks = repository.marks(session, [found.id])
    verdict = found.verdict
    return WaitingPage(
        title=found.method,
        id=found.id,
        team=found.team.name,
        method=found.method,
        description=found.description,
        scale=found.board.scale,
        track=found.board.track,
        state=state,
        marks=tuple((one.kind, one.reason) for one in marks),
        notice=(notice.text, notice.command) if notice else None,
        out=any(one.kind in OUT for one in marks),
        codes=tuple(sorted({one["code"] for one in verdict.findings})) if verdict else (),
        files=tuple((file.role, file.size, file.sha256) for file in found.files),
        files_until=found.files_until,
        submitted_at=found.created_at,
    )
