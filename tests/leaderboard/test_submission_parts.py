"""The parts of a submission's page: beside a reference, its data, its citation."""

from datetime import UTC, datetime

import pytest

from datacomp.errors import UnknownNameError
from datacomp.submission.profile import read_profile
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import Figure
from datacomp_leaderboard.citing import cite
from datacomp_leaderboard.data_portrait import build_parts
from datacomp_leaderboard.fingerprint import Asked, build_fingerprint
from support.boards import SUITE, entry, task_values
from support.profiles import make_profile


def board(*entries):
    return BoardData(scale="tiny", suite=SUITE, entries=entries)


def fingerprint(data, own, asked=None):
    row = next(r.row for r in data.ranked if r.row.id == own)
    return build_fingerprint(data, row, asked or Asked(), f"/s/{own}", drawn=False)


def four(**last):
    levels = (0.5, 0.4, 0.3, 0.2)
    made = [entry(i, task_values([level])) for i, level in enumerate(levels)]
    return board(*made[:3], entry(3, task_values([0.2]), **last))


def test_the_leader_is_what_others_stand_beside():
    page, table, chart = fingerprint(four(), "S00002")

    assert page.row.id == "S00000"
    assert page.tally.losses == len(SUITE.scored)
    assert [link.current for link in page.references] == [True, False]
    assert table.rows[0][6] == pytest.approx(-0.2)
    assert chart.name == "fingerprint"


def test_the_leader_itself_stands_beside_the_best_baseline_or_the_median():
    page, *_ = fingerprint(four(baseline=True), "S00000")
    assert page.row.id == "S00003"

    page, *_ = fingerprint(four(), "S00000")
    assert page.row is None
    assert page.reference == "the median"


def test_alone_there_is_nobody_to_stand_beside():
    page, table, chart = fingerprint(board(entry(0, task_values([0.3]))), "S00000")

    assert page.missing == "The board does not have the median to compare with."
    assert (page.references, table.rows, chart) == ((), (), None)


def test_sorted_by_difference_the_best_comes_first():
    data = board(entry(0, task_values([0.5])), entry(1, task_values([0.1, 0.9, 0.2])))
    page, table, _ = fingerprint(data, "S00001", Asked(sort="delta"))

    deltas = [row[6] for row in table.rows]
    assert deltas == sorted(deltas, reverse=True)
    assert page.sorts[1].href == "/s/S00001?sort=delta"
    assert page.sorts[0].href == "/s/S00001"


def test_only_known_names_are_asked():
    with pytest.raises(UnknownNameError):
        Asked.of("nobody", None)
    with pytest.raises(UnknownNameError):
        Asked.of(None, "colour")
    assert Asked.of("median", None).query(sort="noise") == "?reference=median&sort=noise"


def parts(profile):
    return build_parts(read_profile(profile), "told", lambda chart: Figure(chart, "/x", "", False))


def test_the_data_in_sentences():
    facts = {"sha256": "5" * 64, "n": 1000, "n_unique": 1000}
    found = parts(make_profile(facts)).data

    assert found.rows == "over all 12,000 rows of the pool"
    assert found.found[0].startswith("Of the ")
    assert "CLIP score, ViT-L/14" in found.found[0]
    assert found.repeats is None
    assert [figure.chart.name for figure in found.figures][:2] == [
        "portrait_clip_b32",
        "portrait_clip_l14",
    ]


def test_a_part_of_a_large_pool_is_said():
    profile = make_profile()
    profile["portrait"] |= {"pool_rows": 128_000_000, "parts": 100, "parts_read": 2}

    assert parts(profile).data.rows == (
        "over 12,000 of the pool's 128,000,000 rows, in 2 of its 100 parts, drawn by the pool's id "
        "alone"
    )


def test_without_a_profile_there_are_no_parts():
    found = build_parts(None, "told", lambda chart: Figure(chart, "/x", "", False))

    assert (found.data, found.training, found.charts, found.tables) == (None, None, (), ())


def test_nothing_in_a_citation_steers():
    found = cite(
        id="01AB",
        method="\\input{x} 100% _a_ $b$",
        team="A & B\n#1",
        scale="tiny",
        at=datetime(2026, 5, 1, tzinfo=UTC),
        report_sha256="f" * 64,
    )

    assert found.bibtex.startswith("@misc{datacomp-01ab,\n")
    assert r"{{\textbackslash{}input\{x\} 100\% \_a\_ \$b\$}}" in found.bibtex
    assert r"{{A \& B \#1}}" in found.bibtex
    assert "year = {2026}" in found.bibtex
