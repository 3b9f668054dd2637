"""Suites as data: what the strict reader refuses, what the identity covers."""

from pathlib import Path

import pytest

from datacomp.errors import ReportError, UnknownNameError
from datacomp.reports import load_suite, read_suite, suites

HEAD = "name: s\ntitle: t\ngroups: [G]\ntasks:\n"
TASK = """\
  - key: a
    name: A
    kind: classification
    dataset: wds_a_test
    n: 10
    n_classes: 4
    main_metric: acc1
    scored: true
    groups: [G]
    chance: {acc1: 0.25}
    version: 1
    measures: m
    source: s
    licence: l
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return path


def test_a_suite_reads_as_it_is_written(tmp_path: Path) -> None:
    suite = read_suite(write(tmp_path, HEAD + TASK))
    assert [task.key for task in suite.tasks] == ["a"]
    assert suite["a"].metrics == ("acc1", "acc5", "mean_per_class_recall")


def test_the_suites_of_this_distribution_read() -> None:
    assert "tiny" in suites()
    for name in suites():
        suite = load_suite(name)
        assert suite.name == name
        assert all(any(g in task.groups for task in suite.scored) for g in suite.groups)


def test_a_main_metric_that_counts_has_its_chance_level_and_noise() -> None:
    for task in load_suite("tiny").scored:
        assert task.main_metric in task.chance
        assert task.noise is not None


@pytest.mark.parametrize(
    ("old", "new", "facts"),
    [
        ("    n: 10\n", "    n: 10\n    colour: red\n", ("task 'a'", "colour", ":5:")),
        ("    n: 10\n", "", ("task 'a'", "n: ", "required")),
        ("main_metric: acc1", "main_metric: f1", ("task 'a'", "'f1'", "classification")),
        ("{acc1: 0.25}", "{jaccard: 0.2}", ("task 'a'", "'jaccard'")),
        ("groups: [G]\n    chance", "groups: [H]\n    chance", ("task 'a'", "'H'", "declared")),
        ("kind: classification", "kind: poetry", ("task 'a'", "kind")),
        ("    n: 10\n", "    n: 10\n    n: 20\n", ("'n' occurs twice",)),
        ("main_metric: acc1", "main_metric: null", ("task 'a'", "needs a main_metric")),
        ("kind: classification", "kind: grouped", ("task 'a'", "at least one")),
        ("kind: classification", "kind: faces", ("task 'a'", "n_races", "age, gender, race")),
        (
            "    n: 10\n",
            "    n: 10\n"
            "    groupings: [{field: f, n_groups: 2, worst: w, worst_of_first: {v: 3}}]\n",
            ("task 'a'", "v is over the first 3 groups, expected 1 to 2"),
        ),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, old: str, new: str, facts: tuple[str, ...]) -> None:
    assert old in TASK
    path = write(tmp_path, HEAD + TASK.replace(old, new))
    with pytest.raises(ReportError) as caught:
        read_suite(path)
    for fact in (str(path), *facts):
        assert fact in str(caught.value)


def test_a_task_twice(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="'a' is there twice"):
        read_suite(write(tmp_path, HEAD + TASK + TASK))


def test_not_a_suite(tmp_path: Path) -> None:
    for text in ("- 1\n", "a: [", "tasks: 3\n"):
        with pytest.raises(ReportError, match="is not a suite"):
            read_suite(write(tmp_path, text))


def test_unknown_names_suggest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'tiny'"):
        load_suite("tny")
    with pytest.raises(UnknownNameError, match="Did you mean 'names'"):
        load_suite("tiny")["name"]


def test_identity_covers_numbers_and_not_prose(tmp_path: Path) -> None:
    base = read_suite(write(tmp_path, HEAD + TASK)).sha256
    assert read_suite(write(tmp_path, HEAD + TASK.replace("source: s", "source: x"))).sha256 == base
    changed = TASK.replace("version: 1", "version: 2")
    assert read_suite(write(tmp_path, HEAD + changed)).sha256 != base


@pytest.mark.parametrize(
    ("task", "n"),
    [
        ("imagenet1k", 50_000),  # all of its pictures
        ("wilds/camelyon17", 85_054),  # grouped, but its main metric is of all
        ("fairness/geode", 2_081),  # an even share of 12,488 in 6 regions
        ("wilds/fmow", 4),  # the region "Other"
    ],
)
def test_how_many_pictures_decide_the_main_metric(task: str, n: int) -> None:
    assert load_suite("datacomp38")[task].n_deciding == n


def test_the_size_of_a_group_is_no_part_of_the_identity() -> None:
    fmow = load_suite("datacomp38")["wilds/fmow"]
    other = [grouping.model_copy(update={"n_smallest": None}) for grouping in fmow.groupings]
    assert fmow.model_copy(update={"groupings": tuple(other)}).identity() == fmow.identity()
