"""Which boards there are, and when they take submissions."""

from datetime import UTC, datetime, timedelta

import pytest

from datacomp.errors import UnknownNameError, UsageError
from datacomp_leaderboard.scales import SCALES
from datacomp_server.boards import opening
from datacomp_server.boards.models import Board

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def open_board(service):
    """`open_board(track, scale, ...)`: at noon."""

    def make(track="byod", scale="tiny", **times):
        with service.context.database.writing() as session:
            settings = service.context.settings
            return opening.open_board(
                session, settings, track=track, scale=scale, moment=NOON, **times
            )

    return make


def board(opens_at=NOON, closes_at=None):
    return Board(opens_at=opens_at, closes_at=closes_at)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOON - timedelta(microseconds=1), "opens at 2026-11-22 12:00:00"),
        (NOON, None),
        (NOON + HOUR - timedelta(microseconds=1), None),
        (NOON + HOUR, "closed at 2026-11-22 13:00:00"),
    ],
)
def test_open_from_its_opening_until_before_its_closing(moment, words):
    found = opening.why_shut(board(closes_at=NOON + HOUR), moment)

    assert found is None if words is None else words in found


def test_without_a_closing_it_stays_open():
    assert opening.why_shut(board(), NOON + 10_000 * HOUR) is None


def test_it_opens_before_it_closes():
    with pytest.raises(UsageError, match="before it closes"):
        opening.set_times(board(), NOON, NOON)


def test_every_scale_has_a_filtering_board(service):
    with service.context.database.reading() as session:
        assert [(b.track, b.scale) for b in opening.boards(session)] == [
            ("filtering", scale) for scale in SCALES
        ]


def test_one_that_is_there_is_not_opened_again(open_board):
    made = open_board()

    with pytest.raises(UsageError, match=made.id):
        open_board()


@pytest.mark.parametrize("wrong", [{"track": "cooking"}, {"scale": "huge"}])
def test_names_that_nobody_knows(open_board, wrong):
    with pytest.raises(UnknownNameError):
        open_board(**wrong)


def test_own_data_have_a_board_of_their_own(service, open_board, make_report):
    data = {"role": "byod", "sha256": "1" * 64, "size": 10}
    body = {"track": "byod", "files": [data]}
    without = service.submit(make_report(), **body)
    closed, home = (service.http.get(path).text for path in ("/b/tiny?track=byod", "/"))
    assert "This board is not open" in closed
    assert "datacomp submit" not in closed
    assert "Bring your own data" not in home
    open_board()
    empty, home = (service.http.get(path).text for path in ("/b/tiny?track=byod", "/"))
    assert "datacomp submit --byod mine.parquet" in empty
    assert '<a href="/b/tiny">Subsets of the pool at tiny</a>' in empty
    assert '<a href="/b/tiny?track=byod">tiny, own data</a> (0 submissions)' in home
    assert '<a href="/b/tiny?track=byod">Own data at tiny</a>' in service.http.get("/b/tiny").text

    with_it = service.submit(make_report(), **body)
    listed = service.http.get("/api/v1/boards").json()["boards"]
    own = service.http.get("/api/v1/boards/tiny", params={"track": "byod", "sort": "team"})
    page = service.http.get("/b/tiny?track=byod").text

    assert [one["code"] for one in without.json()["findings"]] == ["S109"]
    assert (with_it.status_code, with_it.json()["track"]) == (201, "byod")
    assert [one["is_open"] for one in listed if one["track"] == "byod"] == [True]
    assert (own.status_code, own.json()["track"], own.json()["rows"]) == (200, "byod", [])
    assert "own data" in page
    waiting = service.http.get(with_it.json()["page"]).text
    assert '<a href="/b/tiny?track=byod">tiny, own data</a>' in waiting
