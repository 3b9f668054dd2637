"""The home page and the feed: boards, news of the audit log, and the queue in one sentence."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.feed import MEDIA_TYPE, build_feed
from datacomp_leaderboard.home import QueueLight, build_home, home_tables, queue_light
from datacomp_leaderboard.news import KINDS, Happened, News, Subject, news_of
from datacomp_leaderboard.query import FILTERING, OWN_DATA
from datacomp_leaderboard.scales import SCALES
from datacomp_server.audit import repository as events
from datacomp_server.audit.models import Event
from datacomp_server.boards import opening
from datacomp_server.boards.data import Source, Version
from datacomp_server.boards.facts import every_board
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.boards.models import Board
from datacomp_server.boards.opening import suite_sha256
from datacomp_server.identity.models import Team
from datacomp_server.jobs.models import LIVE, SERVICE, Job, Worker
from datacomp_server.jobs.policy import SEEN_WINDOW
from datacomp_server.submissions import repository
from datacomp_server.submissions.models import Submission

_ON_HOME, _IN_FEED = 8, 50
# Several events may make one sentence.
_READ = 400


def home(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """Every board with its leaders, what changed, and the queue."""
    only(query)
    boards = every_board(source)
    current = {scale: suite_sha256(scale) for scale in SCALES}
    own_data = {
        board.scale: repository.count_accepted(source.session, board.id)
        for board in opening.boards(source.session)
        if board.track == OWN_DATA and board.suite_sha256 == current[board.scale]
    }
    news = _news(source.session, boards, _ON_HOME)
    queue = _light(source.session, source.moment)
    page = build_home(boards, own_data=own_data, news=news, queue=queue)
    return Made(page, lambda: home_tables(boards, news))


def feed(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The news as an Atom feed."""
    only(query)
    news = _news(source.session, every_board(source), _IN_FEED)
    page = build_feed(news, source.settings.public_url or "")
    return Made(page, media_type=MEDIA_TYPE)


def home_version(session: Session, params: Mapping[str, str]) -> Version:
    """What the home page shows besides boards."""
    waiting, running = _jobs(session)
    workers = session.scalar(select(func.max(Worker.last_seen_at)))
    return (*feed_version(session, params), waiting, running, workers)


def feed_version(session: Session, params: Mapping[str, str]) -> Version:
    """The last event of the log."""
    return (events.newest(session),)


def _news(session: Session, boards: Iterable[BoardData], limit: int) -> tuple[News, ...]:
    statement = select(Event).where(Event.tag.in_(KINDS)).order_by(Event.seq.desc()).limit(_READ)
    found = [
        Happened(one.seq, one.at, one.tag, one.subject_id, one.facts, one.sha256)
        for one in session.scalars(statement)
    ]
    ids = {one.subject_id for one in found if one.subject_id and one.kind.startswith("submission:")}
    return news_of(found, _subjects(session, sorted(ids), boards), limit)


def _subjects(
    session: Session, ids: Sequence[str], boards: Iterable[BoardData]
) -> dict[str, Subject]:
    came = {one.row.id: one for board in boards for one in board.entered}
    averages = {
        submission_id: row.average.mean
        for board in boards
        for row in board.rows
        if row.average is not None
        for submission_id in row.submissions
    }
    columns = (Submission.id, Team.name, Submission.method, Board.scale, Board.track)
    statement = select(*columns).join(Submission.team).join(Submission.board)
    subjects = {}
    for key, team, method, scale, track in session.execute(statement.where(Submission.id.in_(ids))):
        place = scale if track == FILTERING else f"{scale}, own data"
        first = came.get(key)
        leads, before = (first.leads, first.before) if first else (False, None)
        subjects[key] = Subject(key, team, method, place, averages.get(key), leads, before)
    return subjects


def _light(session: Session, moment: datetime) -> QueueLight:
    waiting, running = _jobs(session)
    here = select(func.count()).where(Worker.last_seen_at >= moment - SEEN_WINDOW)
    return queue_light(waiting, running, session.scalar(here) or 0)


def _jobs(session: Session) -> tuple[int, int]:
    """How many jobs wait for a worker, and how many are with one."""
    statement = select(Job.status, func.count()).where(Job.resource != SERVICE)
    by_status = {
        status: n
        for status, n in session.execute(
            statement.where(Job.status.in_(("queued", *LIVE))).group_by(Job.status)
        )
    }
    return by_status.get("queued", 0), sum(by_status.get(one, 0) for one in LIVE)
