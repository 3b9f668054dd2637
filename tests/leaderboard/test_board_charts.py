"""Which rows of a board its charts show, and as what."""

from datacomp.submission.levels import Level
from datacomp_leaderboard.board_charts import share_chart
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.board_view import BoardView, build_board
from datacomp_leaderboard.query import BoardQuery


def kinds(entries, **data):
    board = BoardData(scale="tiny", entries=tuple(entries), **data)
    chart = share_chart(board, board.ranked, board.rule)
    return {row[0]: row[5] for row in chart.table.rows} if chart else None


def test_every_row_with_a_number_is_drawn_as_what_it_is(make_entry):
    entries = [
        make_entry(method="measured"),
        make_entry(method="reported", level=Level.REPORTED),
        make_entry(method="baseline", baseline=True),
        make_entry(method="truth", oracle=True),
        make_entry(None, method="failed"),
        make_entry(method="withdrawn", withdrawn=True),
    ]

    assert kinds(entries) == {kind: kind for kind in ("measured", "reported", "baseline", "truth")}


def test_a_large_board_draws_its_best_and_says_so(make_entry):
    entries = [make_entry(0.5 - i / 999, method=f"m{i:03}") for i in range(310)]

    board = BoardData(scale="tiny", entries=tuple(entries))
    chart = share_chart(board, board.ranked, board.rule)
    assert "the best 300 of 310 are drawn" in chart.words.lower()
    assert len(chart.table.rows) == 300
    assert chart.table.rows[0][0] == "m000"


def test_one_number_is_no_picture(make_entry):
    assert kinds([make_entry()]) is None
    assert kinds([make_entry(), make_entry(None, method="b")]) is None


def test_of_own_data_all_is_kept_which_is_no_picture(make_entry):
    entries = [make_entry(), make_entry(method="b")]

    assert kinds(entries, track="byod") is None


def test_the_page_has_the_picture_at_the_address_of_the_board(make_entry):
    entries = (make_entry(), make_entry(method="b"))

    data, query = BoardData(scale="tiny", entries=entries), BoardQuery(scale="tiny", team="Alpha")
    figure = build_board(BoardView(data, query)).share
    assert figure.href("svg") == "/b/tiny/share.svg?team=Alpha"
    assert figure.drawn
