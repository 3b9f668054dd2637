"""Selection files and locks: what they build, what they refuse, and that a lock rebuilds."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from datacomp.errors import UsageError
from datacomp.filtering import LocalExecutor, explain, load_plugin, run_filter
from datacomp.filtering.scores import Fuse, PoolColumn
from datacomp.filtering.selection_file import read_selection
from datacomp.filtering.selectors import TopFraction
from datacomp.filtering.tree import describe, from_tree, to_tree
from datacomp.filtering.view import Reads, Source, View
from datacomp.pool import open_pool

load_plugin(Path(__file__).with_name("toys.py"))

EXAMPLE = """
columns:
  length: {from: {toy_longest: {scale: 2.0}}, column: length}
  both:
    fuse: minmax
    of:
      - {weight: 0.25, column: s}
      - {weight: 0.75, column: length}
select:
  cascade:
    - minus: [no_filter, {threshold: {column: s, maximum: 0.1}}]
    - top_fraction: {column: both, fraction: 0.5}
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def pool(make_pool):
    return make_pool(
        {"s": np.array([0.1, 0.2, 0.3], np.float32), "text": ["aaaaaa", "bb", None]},
        {"s": np.array([0.4, 0.5, np.nan], np.float32), "text": ["c", "dddd", "eeeee"]},
    )


def kept(result):
    return result.subset.uids["f1"].tolist()


def test_a_file_combines_producers_selectors_and_filters(written, pool, tmp_path):
    result = run_filter(read_selection(written(EXAMPLE)), pool, tmp_path / "scores")
    # Left after minus: 1 2 3 4 5. Fused: 1: .25 * .25 + .75 * .2; 3: .25 * .75; 4: .25 + .75 * .6.
    assert kept(result) == [1, 4]
    assert result.counts.dropped == {
        "in threshold": 1,
        "top_fraction: no_score": 2,
        "top_fraction: below_cut": 1,
    }


def test_the_tree_of_a_selection_builds_it_again(written):
    chosen = read_selection(written(EXAMPLE))
    assert from_tree(json.loads(json.dumps(to_tree(chosen)))) == chosen


def test_a_lock_rebuilds_the_same_subset(written, pool, tmp_path):
    first = run_filter(read_selection(written(EXAMPLE)), pool, tmp_path / "scores")
    first.write(tmp_path / "mine.npy")
    again = run_filter(
        read_selection(tmp_path / "mine.npy.lock.json"),
        open_pool(pool.url),
        tmp_path / "other",
        LocalExecutor(2),
    )
    assert again.subset.sha256 == first.subset.sha256
    assert again.lock["keys"] == first.lock["keys"]
    assert "toys.py" in first.lock["plugins"]


def test_another_fraction_of_a_fused_score_computes_nothing(written, pool, tmp_path):
    run_filter(read_selection(written(EXAMPLE)), pool, tmp_path / "scores")
    other = read_selection(written(EXAMPLE.replace("fraction: 0.5", "fraction: 1.0")))
    assert [len(step.missing) for step in explain(other, pool, tmp_path / "scores").steps] == [0]


def test_steps_that_several_parts_name_are_computed_once(written, pool, tmp_path):
    chosen = read_selection(written("select: {or: [toy_longest, {toy_longest: {minimum: 1}}]}"))
    plan = explain(chosen, pool, tmp_path / "scores")
    assert [step.spec.name for step in plan.steps] == ["length"]
    assert kept(run_filter(chosen, pool, tmp_path / "scores")) == [0, 1, 3, 4, 5]


def test_filters_whose_columns_share_a_name_do_not_meet(written, pool, tmp_path):
    chosen = read_selection(
        written("select: {and: [{toy_longest: {scale: 0.5}}, {toy_longest: {scale: 9.0}}]}")
    )
    result = run_filter(chosen, pool, tmp_path / "scores")
    assert len(result.steps) == 2
    assert kept(result) == [0]


def test_scores_that_share_a_name_are_fused(written, pool, tmp_path):
    both = """select: {threshold: {minimum: 0.9, column: {fuse: rank, of: [
      {weight: 0.5, column: {from: toy_longest, column: length}},
      {weight: 0.5, column: {from: {toy_longest: {scale: -1.0}}, column: length}}]}}}"""
    result = run_filter(read_selection(written(both)), pool, tmp_path / "scores")
    assert len(result.steps) == 2
    assert result.counts.dropped == {"no_score": 1, "below_cut": 5}


@pytest.mark.parametrize("how", ["minmax", "zscore", "rank"])
def test_fusing_is_an_affine_or_rank_scale_of_each_score(written, pool, tmp_path, how):
    tree = {"band": {"column": {"fuse": how, "of": [{"weight": 1.0, "column": "s"}] * 2},
                     "start": 0.2, "to": 0.5}}  # fmt: skip
    assert kept(run_filter(from_tree(tree), pool, tmp_path / how)) == [2, 3]


@pytest.mark.parametrize(
    ("how", "scores", "expected"),
    [
        ("minmax", [2, 4, 3, np.nan], [0, 1, 0.5, np.nan]),
        ("zscore", [2, 4, 3, np.nan], [-(1.5**0.5), 1.5**0.5, 0, np.nan]),
        ("rank", [2, 4, 2, np.nan], [1 / 3, 5 / 6, 1 / 3, np.nan]),
    ],
)
def test_scales_are_those_of_the_whole_pool(make_pool, tmp_path, how, scores, expected):
    pool = make_pool(*({"s": np.array([score])} for score in scores))
    column = Fuse(how, ((0.5, PoolColumn("s")), (0.5, PoolColumn("s"))))
    with ThreadPoolExecutor(1) as threads:
        view = View(
            Source(pool, None, {}, {}, threads),
            Reads.by_filter(TopFraction(column=column, fraction=0.5)),
        )
        read = column.open(view)
        found = np.concatenate([read(rows) for rows in view.parts()])
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("scores", [[1.0, 1.0], [np.nan, np.nan], [1.0, np.inf]])
@pytest.mark.parametrize("how", ["minmax", "zscore"])
def test_scores_without_a_scale_are_refused(make_pool, tmp_path, how, scores):
    pool = make_pool({"s": np.array(scores)})
    part = {"weight": 1.0, "column": "s"}
    tree = {"top_fraction": {"column": {"fuse": how, "of": [part, part]}, "fraction": 0.5}}
    with pytest.raises(UsageError, match=f"{how} needs"):
        run_filter(from_tree(tree), pool, tmp_path / "scores")


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("select: [a", "is not YAML"),
        ("filter: clip_score", "expected a mapping with 'select'"),
        ("select: no_filter\nthreshold: 3", "no section 'threshold'"),
        ("select: no_filter\nselect: random", "'select' stands here twice"),
        ("select: no_filte", "no_filte: no filter named 'no_filte'. Did you mean 'no_filter'"),
        ("select: {and: no_filter}", "select.and: expected a list"),
        ("select: {and: [no_filter]}", "combines 2 or more"),
        ("select: {no_filter: {}, random: {}}", "a mapping with one key.*no_filter, random"),
        ("select: {random: {fraction: much}}", "select.random: fraction=much .* is not float"),
        ("select: {random: {fraction: true}}", "select.random: fraction=True .* is not float"),
        ("select: {random: {share: 0.5}}", "has no parameter 'share'"),
        ("select: {or: [no_filter, {random: 3}]}", r"or\[1\].random: expected parameters"),
        ("select: {top_fraction: {fraction: 0.5}}", "needs column"),
        ("select: {cap: {of: no_filter}}", "needs max_repeats"),
        ("select: {mix: {parts: [no_filter]}}", "a list of mappings with 'select'"),
        ("select: {threshold: {column: {fuse: max, of: []}, minimum: 1}}", "one of minmax"),
        ("select: {threshold: {column: {from: no_filter, column: x}, minimum: 1}}",
         "'no_filter' computes no column 'x'"),
        ("select: {threshold: {column: s}}", "needs a minimum, a maximum"),
        ("columns: [a]\nselect: no_filter", "columns: expected a mapping"),
        ("columns: {a: b, b: s}\nselect: no_filter", "columns.a uses 'b', which stands below it"),
        ("select: {}", "got {}"),
        ("select: &a {and: [*a, no_filter]}", "a part of it contains itself"),
        ("select: {cap: {of: no_filter, max_repeats: '2'}}", "cap.max_repeats: expected a whole"),
        ("select: {threshold: {column: s, minimum: .nan}}", "finite limits"),
        ("select: {threshold: {column: s, minimum: 2, maximum: 1}}", "minimum not above"),
        ("select: {mix: {parts: [{select: no_filter, weight: .inf}], size: 1}}",
         r"mix.parts\[0\].weight: expected a finite number"),
        ("select: {mix: {parts: [{select: no_filter, weight: 1}], size: 1.5}}",
         "mix.size: expected a whole number"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_named_with_its_place(written, text, facts):
    with pytest.raises(UsageError, match=facts) as caught:
        read_selection(written(text))
    assert "mine.yaml" in str(caught.value)


def test_yaml_merge_keys_work_and_may_be_overridden(written):
    base = "{toy_longest: &base {minimum: 1.0, scale: 2.0}}"
    merged = read_selection(
        written(f"select: {{or: [{base}, {{toy_longest: {{<<: *base, minimum: 5.0}}}}]}}")
    )
    assert [child.params()["minimum"] for child in merged.of] == [1.0, 5.0]
    assert [child.params()["scale"] for child in merged.of] == [2.0, 2.0]


def test_a_lock_of_something_else_is_refused(tmp_path):
    lock = tmp_path / "x.npy.lock.json"
    lock.write_text('{"operation": "union", "sha256": "0"}')
    with pytest.raises(UsageError, match="lock of union, which is not a filter run"):
        read_selection(lock)


def test_an_edited_lock_and_one_without_its_plugin_say_so(tmp_path):
    lock = tmp_path / "x.npy.lock.json"
    lock.write_text('{"operation": "filter", "selection": "no_filter"}')
    with pytest.raises(UsageError, match="lacks its selection or its sha256"):
        read_selection(lock)
    lock.write_text('{"selection": {"mine": {}}, "sha256": "0", "plugins": {"mine.py": "0"}}')
    with pytest.raises(UsageError, match=r"no filter named 'mine'.* plugins: mine.py; see --plug"):
        read_selection(lock)


def test_describe_is_plain_json(written):
    tree = describe(read_selection(written(EXAMPLE)))
    assert json.loads(json.dumps(tree)) == tree
