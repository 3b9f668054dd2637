"""Steps on columns of other steps, fits and pool steps on a pool: order, stages, what is stored."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datacomp.errors import FilterError
from datacomp.files import locked, sha256_file
from datacomp.filtering import (
    Asset,
    LocalExecutor,
    PartsFailed,
    explain,
    filter_class,
    load_plugin,
    run_filter,
    scored,
)
from datacomp.filtering.conformance import CHECKS, subject_of
from datacomp.filtering.fitting import compute_fits
from datacomp.progress import NoProgress
from datacomp.subset import format_uids

TOYS = Path(__file__).with_name("chained_toys.py")
TEXTS = (["a", "b b"], ["c c c", "d d d d", "e"])
FEATURES = np.ones((5, 3), np.float16)


@pytest.fixture
def chain(registered, tmp_path):
    load_plugin(TOYS)
    log = tmp_path / "log"
    log.touch()
    return filter_class("toy_chain")(log=str(log))


@pytest.fixture
def pool(make_pool):
    return make_pool(*({"text": texts} for texts in TEXTS), features=FEATURES)


def kept(result):
    return [int(uid, 16) for uid in format_uids(result.subset.uids)]


def fitted(chain, pool, store):
    return compute_fits(chain, pool, store, LocalExecutor(), NoProgress())


def done(chain):
    path = Path(chain.log)
    lines = path.read_text().split("\n")[:-1]
    path.write_text("")
    return sorted(lines)


WORDS, EXCESS = ["words 2", "words 3"], ["excess 2", "excess 3"]
LEARNT = ["mean of 5 rows", "rank of 5 rows"]


def test_a_chain_is_computed_in_order_and_only_once(chain, pool, tmp_path):
    result = run_filter(chain, pool, tmp_path / "scores")
    assert kept(result) == [1, 2, 3]
    assert done(chain) == sorted([*WORDS, *EXCESS, *LEARNT])
    assert kept(run_filter(replace(chain, least=4), pool, tmp_path / "scores")) == [3]
    assert done(chain) == []


def test_the_plan_says_what_runs_in_which_stage(chain, pool, tmp_path):
    plan = explain(chain, pool, tmp_path / "scores")
    assert [one.spec.name for one in plan.order] == [
        "chain_words", "chain_mean", "chain_excess", "chain_rank",
    ]  # fmt: skip
    first, second = plan.stages()
    assert [job.part for job in first.jobs] == [job.part for job in second.jobs] == ["0000", "0001"]
    assert [one.spec.name for one in first.whole] == ["chain_mean"]
    assert [one.spec.name for one in second.whole] == ["chain_rank"]
    assert plan.spec.columns == ("text",)
    assert plan.spec.features == ("l14_img",)
    run_filter(chain, pool, tmp_path / "scores")
    assert explain(chain, pool, tmp_path / "scores").stages() == ()


def test_what_only_stored_results_need_is_not_computed_again(chain, pool, tmp_path):
    run_filter(chain, pool, tmp_path / "scores")
    done(chain)
    shutil.rmtree(tmp_path / "scores" / "chain_words")
    shutil.rmtree(tmp_path / "scores" / "fits" / "chain_mean")
    run_filter(chain, pool, tmp_path / "scores")
    assert done(chain) == []
    shutil.rmtree(tmp_path / "scores" / "chain_rank")
    run_filter(chain, pool, tmp_path / "scores")
    assert done(chain) == ["rank of 5 rows"]
    # Another step on the same words: words and mean are needed, and gone.
    run_filter(replace(chain, times=2.0), pool, tmp_path / "scores")
    assert done(chain) == sorted([*WORDS, *EXCESS, *LEARNT])


def test_a_new_part_makes_what_depends_on_all_rows_again(chain, make_pool, pool, tmp_path):
    run_filter(chain, pool, tmp_path / "scores")
    done(chain)
    grown = make_pool(*({"text": t} for t in (*TEXTS, ["f f"])), features=np.ones((6, 3), "f2"))
    run_filter(chain, grown, tmp_path / "scores")
    # The words of the old parts are as they were; the mean has changed, and all that is above it.
    assert done(chain) == sorted(
        ["words 1", "excess 1", *EXCESS, "mean of 6 rows", "rank of 6 rows"]
    )


def test_workers_change_nothing(chain, pool, tmp_path):
    one = run_filter(chain, pool, tmp_path / "one")
    two = run_filter(chain, pool, tmp_path / "two", LocalExecutor(2))
    assert kept(one) == kept(two)
    names = [sorted(p.name for p in (tmp_path / n).rglob("*.parquet")) for n in ("one", "two")]
    assert names[0] == names[1]
    for path in (tmp_path / "one").rglob("*.parquet"):
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()


def test_a_part_that_fails_below_ends_the_run_and_keeps_the_others(chain, make_pool, tmp_path):
    pool = make_pool({"text": ["a", "b b"]}, {"text": ["fail"]}, features=np.ones((3, 3), "f2"))
    with pytest.raises(PartsFailed, match=r"1 of 2 parts failed.*0001.*told to fail"):
        run_filter(chain, pool, tmp_path / "scores")
    assert len(list((tmp_path / "scores" / "chain_words").rglob("*.parquet"))) == 1


def test_a_fit_leaves_its_log_beside_its_arrays(chain, pool, tmp_path):
    (fit,) = fitted(chain, pool, tmp_path / "scores")
    assert done(chain) == sorted([*WORDS, "mean of 5 rows"])
    assert fit.log == fit.folder / "log.jsonl"
    assert fit.arrays["mean"] == pytest.approx(11 / 5)
    fitted(chain, pool, tmp_path / "scores")
    assert done(chain) == []


def test_a_fit_that_another_process_computes_is_not_computed_beside_it(chain, pool, tmp_path):
    (fit,) = fitted(chain, pool, tmp_path / "a")
    held = tmp_path / "b" / fit.folder.relative_to(tmp_path / "a")
    with (
        locked(held, AssertionError()),
        pytest.raises(FilterError, match=r"another process computes fit .* Wait for it"),
    ):
        fitted(chain, pool, tmp_path / "b")
    assert fitted(chain, pool, tmp_path / "b")[0].arrays == fit.arrays


def test_scores_are_read_without_selecting(chain, pool, tmp_path):
    with scored(chain, pool, tmp_path / "scores") as view:
        read = chain.score().open(view)
        assert [read(rows).tolist() for rows in view.parts()] == [[0, 2], [3, 4, 0]]


def test_a_pool_step_is_held_to_what_it_declares(chain, pool, tmp_path):
    with pytest.raises(FilterError, match=r"part 0000.*chain_rank.*1 rows for 2"):
        run_filter(replace(chain, wrong=True), pool, tmp_path / "scores")


def test_fits_and_features_must_be_declared(chain, pool, tmp_path):
    toys = type(chain).steps.__globals__
    excess = toys["Excess"](undeclared=True)

    class Undeclared(toys["TopRank"]):
        name = "undeclared"

        def steps(self):
            return (excess,)

    with pytest.raises(PartsFailed, match=r"reads fit 'chain_mean', which it does not declare"):
        run_filter(Undeclared(), pool, tmp_path / "scores")
    with (
        scored(chain, pool, tmp_path / "other") as view,
        pytest.raises(FilterError, match=r"filter 'toy_chain' reads feature 'l14_img'"),
    ):
        next(iter(view.parts())).feature("l14_img")


def test_a_producer_that_builds_on_itself_is_refused(chain, pool, tmp_path, monkeypatch):
    toys = type(chain).steps.__globals__
    monkeypatch.setattr(toys["Words"], "inputs", lambda self: (toys["Excess"](log=self.log),))
    with pytest.raises(FilterError, match="builds on itself"):
        explain(chain, pool, tmp_path / "scores")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (None, "returned NoneType, expected arrays"),
        ({"mean": [1.0]}, "returned list as 'mean', expected a numpy array"),
        ({"mean": np.array([object()])}, "returned object as 'mean'"),
        ({"file": np.zeros(1)}, "cannot name an array 'file'"),
        ({1: np.zeros(1)}, "cannot name an array 1"),
    ],
)
def test_a_fit_is_held_to_arrays_that_can_be_stored(
    chain, pool, tmp_path, monkeypatch, made, expected
):
    toys = type(chain).steps.__globals__
    monkeypatch.setattr(toys["Mean"], "fit", lambda self, view, bench: made)
    with pytest.raises(FilterError, match=rf"fit 'chain_mean' {expected}"):
        run_filter(chain, pool, tmp_path / "scores")


def test_what_goes_wrong_in_fits_and_pool_steps_is_told_with_its_line(
    chain, pool, tmp_path, monkeypatch
):
    def broken(self, view, bench):
        yield from pass_on(self, view, bench)
        raise ValueError("told to fail")

    def fails(self, view, bench):
        raise ValueError("told to fail")

    toys = type(chain).steps.__globals__
    pass_on = toys["Rank"].compute
    monkeypatch.setattr(toys["Rank"], "compute", broken)
    told = r"failed: ValueError: told to fail \(.*test_chains.py:\d+\)"
    with pytest.raises(FilterError, match=f"step 'chain_rank' {told}"):
        run_filter(chain, pool, tmp_path / "scores")
    monkeypatch.setattr(toys["Mean"], "fit", fails)
    with pytest.raises(FilterError, match=f"fit 'chain_mean' {told}"):
        run_filter(chain, pool, tmp_path / "others")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("arrays.npz", b""),
        ("arrays.npz", b"PK\x03\x04 torn"),
        ("arrays.npz", b"\x93NUMPY"),
        ("fit.json", b""),
        ("fit.json", b"null"),
        ("fit.json", b"{}"),
    ],
)
def test_damaged_arrays_are_computed_again(chain, pool, tmp_path, file, content):
    (fit,) = fitted(chain, pool, tmp_path / "scores")
    (fit.folder / file).write_bytes(content)
    done(chain)
    assert not explain(chain, pool, tmp_path / "scores").fits[0].stored
    fitted(chain, pool, tmp_path / "scores")
    assert done(chain) == ["mean of 5 rows"]


def test_two_assets_of_one_name_are_refused(chain, pool, tmp_path, monkeypatch):
    for name in ("one", "other"):
        (tmp_path / name).write_text(name)
    assets = tuple(Asset(name="weights", path=tmp_path / name) for name in ("one", "other"))
    monkeypatch.setattr(type(chain).steps.__globals__["Mean"], "assets", lambda self: assets)
    with pytest.raises(FilterError, match="'chain_mean' has two assets named 'weights'"):
        explain(chain, pool, tmp_path / "scores")


def test_files_of_one_name_are_told_apart_in_what_a_filter_reads(
    chain, pool, tmp_path, monkeypatch
):
    toys = type(chain).steps.__globals__
    for name, toy in (("one", "Words"), ("other", "Mean"), ("one", "Rank")):
        (tmp_path / name).write_text(name)
        asset = Asset(name="weights", path=tmp_path / name)
        monkeypatch.setattr(toys[toy], "assets", lambda self, asset=asset: (asset,))
    assets = explain(chain, pool, tmp_path / "scores").spec.assets
    digests = {name: sha256_file(tmp_path / name) for name in ("one", "other")}
    plugin = {"plugin file": sha256_file(TOYS)}
    assert assets == {"weights": digests["one"], "weights 2": digests["other"]} | plugin


def test_the_plan_tells_a_fit_that_is_gone_from_one_that_will_be_computed(chain, pool, tmp_path):
    def fit():
        (told,) = explain(chain, pool, tmp_path / "scores").to_json()["fits"]
        return told["stored"], told["missing"]

    assert fit() == (False, True)
    run_filter(chain, pool, tmp_path / "scores")
    assert fit() == (True, False)
    shutil.rmtree(tmp_path / "scores" / "fits")
    assert fit() == (False, False)


def test_a_chain_passes_the_conformance_kit(chain):
    subject = subject_of("toy_chain")
    ended = {check.name: check.run(subject) for check in CHECKS}
    assert {name: end.came for name, end in ended.items() if end.status == "failed"} == {}
    assert ended["batch_size"].status == ended["part_split"].status == "passed"
