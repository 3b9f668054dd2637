"""The report on planted noise: AUROC, what is kept at one fraction, and the files."""

import csv
import io
import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score

from datacomp.errors import PoolError, UsageError
from datacomp.filtering import Filter, keep_unless
from datacomp.filtering.report_files import to_csv, write_report
from datacomp.filtering.reporting import auroc, judge_scores, read_truth, report
from datacomp.filtering.scores import PoolColumn
from datacomp.filtering.tree import from_tree

KINDS = ["clean", "clean", "junk", "junk", "wrong_caption", "near_duplicate"]


@dataclass(frozen=True, kw_only=True)
class Ranked(Filter):
    """Ranks by a column of the pool."""

    name = "ranked"
    summary = "Rank by a column."
    column: str = "good"

    def columns(self):
        return (self.column,)

    def score(self):
        return PoolColumn(self.column)

    def select(self, view):
        return (keep_unless(rows, {}) for rows in view.parts())


@dataclass(frozen=True, kw_only=True)
class Twice(Filter):
    """Keeps clean rows, the first of them twice, and ranks nothing."""

    name = "twice"
    summary = "Keep two rows."

    def select(self, view):
        for rows in view.parts():
            clean = np.asarray(rows.uids["f1"] < 2)
            copies = np.where(rows.uids["f1"] == 0, 2, 1)
            yield keep_unless(rows, {"other": ~clean}, copies)


@pytest.fixture
def pool(make_pool, tmp_path):
    """Six rows in two parts, and their truth."""

    def make(kinds=KINDS, uids=None, **columns):
        half = len(kinds) // 2
        made = make_pool(
            {name: values[:half] for name, values in columns.items()},
            {name: values[half:] for name, values in columns.items()},
        )
        (tmp_path / "pool" / "truth").mkdir()
        named = uids or [f"{row:032x}" for row in range(len(kinds))]
        for number, part in enumerate((slice(half), slice(half, None))):
            table = pa.table({"uid": named[part], "truth_kind": kinds[part]})
            pq.write_table(table, tmp_path / "pool" / "truth" / f"{number:04d}.parquet")
        return made

    return make


def test_auroc_counts_pairs_and_ties_half():
    assert auroc(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == (1 + 1 + 1 + 0.5) / 4
    assert auroc(np.array([1]), np.array([1])) == 0.5
    assert auroc(np.array([]), np.array([1.0])) is None


def test_a_missing_score_is_below_minus_infinity_and_ties_with_itself():
    assert auroc(np.array([-np.inf]), np.array([np.nan])) == 1
    assert auroc(np.array([np.nan, np.nan]), np.array([np.nan, 0.0])) == 0.25


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=60).filter(
        lambda rows: len({side for side, _ in rows}) == 2
    )
)
def test_auroc_is_scikit_learns(rows):
    sides, scores = np.array([side for side, _ in rows]), np.array([score for _, score in rows])
    ours = auroc(scores[sides].astype(np.float32), scores[~sides].astype(np.float32))
    assert ours == pytest.approx(roc_auc_score(sides, scores), abs=1e-12)


def test_a_filter_that_ranks_is_judged_by_kind_and_at_the_fraction(pool, tmp_path):
    opened = pool(good=[0.9, 0.5, 0.6, 0.1, None, 0.9])
    (found,) = report({"mine": Ranked()}, opened, tmp_path / "scores", fraction=0.5).filters
    # clean 0.9 and 0.5 against junk 0.6 and 0.1, a wrong caption without a score, a duplicate 0.9
    assert found.against == {"junk": 0.75, "wrong_caption": 1.0, "near_duplicate": 0.25}
    assert found.overall == pytest.approx(5 / 6)
    assert (found.kept, found.kept_share, found.unscored) == (3, 0.5, 1)
    assert found.true_share == pytest.approx(2 / 3)  # 0.9, 0.9 and the junk of 0.6


def test_rows_without_a_score_are_never_kept(pool):
    truth = read_truth(pool(good=[None] * 6))
    found = judge_scores("none", np.full(6, np.nan), truth, 0.5)
    assert (found.overall, found.kept, found.true_share, found.unscored) == (0.5, 0, None, 6)


def test_ties_at_the_cut_go_to_the_lower_uid(pool):
    truth = read_truth(pool(good=[0.0] * 6))
    assert judge_scores("ties", np.zeros(6, np.float16), truth, 0.34).true_share == 1.0


def test_a_filter_that_ranks_nothing_is_judged_by_how_often_it_keeps(pool, tmp_path):
    result = report({"mine": Twice()}, pool(good=[0.0] * 6), tmp_path / "scores", 0.1)
    (found,) = result.filters
    assert (found.ranks, found.overall, found.true_share) == (False, 1.0, 1.0)
    assert (found.kept, found.kept_share) == (3, 0.5)
    assert (result.true_share, result.rows["junk"]) == (0.5, 2)


def test_the_best_overall_comes_first_in_every_file(pool, tmp_path):
    opened = pool(good=[6, 5, 1, 2, 3, 4], bad=[1, 2, 6, 5, 4, 3])
    filters = {"bad": Ranked(column="bad"), "good": Ranked(), "twice": Twice()}
    result = report(filters, opened, tmp_path / "scores", 0.5)
    png, _, as_json = write_report(result, tmp_path / "out")
    rows = list(csv.DictReader(io.StringIO(to_csv(result))))
    assert [row["filter"] for row in rows] == ["good", "twice", "bad"]
    assert [row["auroc_overall"] for row in rows] == ["1.0", "1.0", "0.0"]
    assert json.loads(as_json.read_text()) == json.loads(json.dumps(result.to_json()))
    with Image.open(png) as picture:
        assert picture.width == 1500


@pytest.mark.parametrize(
    ("selector", "ranks"),
    [
        ({"top_fraction": {"fraction": 0.1}}, True),
        ({"threshold": {"minimum": 6.0}}, True),
        ({"threshold": {"minimum": 6.0, "maximum": 7.0}}, False),
        ({"band": {"start": 0.1, "to": 0.5}}, False),
        ({"soft_cap": {}}, True),
        ({"hard_cap": {}}, True),
    ],
)
def test_a_selection_ranks_by_what_it_cuts_by(pool, tmp_path, selector, ranks):
    ((name, parameters),) = selector.items()
    chosen = from_tree({name: {"column": "good", **parameters}})
    opened = pool(good=[6.0, 5.0, 1.0, 2.0, 3.0, 4.0])
    (found,) = report({"cut": chosen}, opened, tmp_path / "scores", 0.5).filters
    assert found.ranks == ranks
    if ranks:
        assert (found.overall, found.kept) == (1.0, 3)


def test_pools_without_truth_of_their_rows_are_refused(pool, make_pool, tmp_path):
    with pytest.raises(PoolError, match="has no truth"):
        report({"mine": Twice()}, make_pool({"good": [1]}), tmp_path / "scores")
    with pytest.raises(PoolError, match="not of its rows, in their order"):
        report({"mine": Twice()}, pool(good=[0] * 6, uids=["f" * 32] * 6), tmp_path / "scores")


def test_a_pool_without_clean_rows_and_a_wrong_fraction_are_refused(pool, tmp_path):
    opened = pool(kinds=["junk"] * 2, good=[1, 2])
    with pytest.raises(PoolError, match="no row of the kind 'clean'"):
        report({"mine": Twice()}, opened, tmp_path / "scores")
    with pytest.raises(UsageError, match="between 0 and 1"):
        report({"mine": Twice()}, opened, tmp_path / "scores", fraction=1.5)
