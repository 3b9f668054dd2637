"""Running a filter: what is computed, reused, failed, refused; toy filters come from toys.py."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, PoolError, UsageError
from datacomp.filtering import (
    LocalExecutor,
    PartsFailed,
    explain,
    filter_class,
    load_plugin,
    rows_to_pass,
    run_filter,
)
from datacomp.pool import open_pool
from support.processes import BOUND_SECONDS

TOYS = Path(__file__).with_name("toys.py")
load_plugin(TOYS)
Longest, ByNorm = filter_class("toy_longest"), filter_class("toy_norm")
PARTS = ({"text": ["a", "bb", "ccc"]}, {"text": [None, "ddddd"]}, {"text": ["", "ffffff"]})


def kept(result):
    return result.subset.uids["f1"].tolist()


def computed(log):
    return sorted(log.read_text().split()) if log.exists() else []


def test_a_filter_keeps_rows_and_counts_the_others_by_reason(make_pool, tmp_path):
    result = run_filter(Longest(), make_pool(*PARTS), tmp_path / "scores")
    assert kept(result) == [2, 4, 6]
    assert (result.counts.rows, result.counts.kept) == (7, 3)
    assert dict(result.counts.dropped) == {"no_score": 1, "short": 3}


def test_another_threshold_computes_nothing(make_pool, tmp_path):
    pool, log = make_pool(*PARTS), tmp_path / "log"
    run_filter(Longest(log=str(log)), pool, tmp_path / "scores")
    before = computed(log)
    result = run_filter(Longest(minimum=6, log=str(log)), pool, tmp_path / "scores")
    assert kept(result) == [6]
    assert [(s.done, s.reused) for s in result.steps] == [(0, 3)]
    assert computed(log) == before


def test_a_parameter_of_the_step_computes_all_again(make_pool, tmp_path):
    pool = make_pool(*PARTS)
    run_filter(Longest(), pool, tmp_path / "scores")
    result = run_filter(Longest(scale=2.0), pool, tmp_path / "scores")
    assert kept(result) == [1, 2, 4, 6]
    assert [(s.done, s.reused) for s in result.steps] == [(3, 0)]


def test_new_parts_and_changed_parts_alone_are_computed(make_pool, tmp_path):
    run_filter(Longest(), make_pool(*PARTS[:2]), tmp_path / "scores")
    more = make_pool({"text": ["a", "bb", "changed"]}, *PARTS[1:])
    result = run_filter(Longest(), more, tmp_path / "scores")
    assert [(s.done, s.reused) for s in result.steps] == [(2, 1)]
    assert kept(result) == [2, 4, 6]


def test_the_same_rows_in_another_file_layout_are_not_computed_again(make_pool, tmp_path):
    pool = make_pool(*PARTS)
    run_filter(Longest(), pool, tmp_path / "scores")
    for file in Path(pool.url, "metadata").glob("*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table, file, row_group_size=1, compression="none", use_dictionary=False)
    plan = explain(Longest(), open_pool(pool.url), tmp_path / "scores")
    assert [len(step.missing) for step in plan.steps] == [0]


def test_stored_results_are_the_same_bytes_whoever_computes_them(make_pool, tmp_path):
    pool = make_pool(*PARTS)
    one = run_filter(Longest(), pool, tmp_path / "one", executor=LocalExecutor(1))
    two = run_filter(Longest(), pool, tmp_path / "two", executor=LocalExecutor(2))
    assert one.subset.sha256 == two.subset.sha256
    names = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.parquet"))
    assert len(names) == 3
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_stored_part_holds_uids_and_outputs_row_by_row(make_pool, tmp_path):
    run_filter(Longest(), make_pool(*PARTS), tmp_path)
    (file,) = tmp_path.rglob("0001.*.parquet")
    assert pq.read_table(file).to_pydict() == {
        "uid_hi": [0, 0],
        "uid_lo": [3, 4],
        "length": [None, 5.0],
    }


def test_a_damaged_stored_part_is_computed_again(make_pool, tmp_path):
    pool = make_pool(*PARTS)
    first = run_filter(Longest(), pool, tmp_path / "scores")
    file = sorted((tmp_path / "scores").rglob("*.parquet"))[0]
    file.write_bytes(file.read_bytes()[:-9])
    result = run_filter(Longest(), pool, tmp_path / "scores")
    assert [(s.done, s.reused) for s in result.steps] == [(1, 2)]
    assert result.subset.sha256 == first.subset.sha256


def test_a_stored_part_whose_numbers_were_damaged_is_named(make_pool, tmp_path):
    pool = make_pool(*PARTS)
    run_filter(Longest(), pool, tmp_path / "scores")
    file = sorted((tmp_path / "scores").rglob("*.parquet"))[0]
    column = pq.read_metadata(file).row_group(0).column(2)
    data = bytearray(file.read_bytes())
    data[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 255
    file.write_bytes(data)
    with pytest.raises(FilterError, match=r"is damaged .*Delete it and run again"):
        run_filter(Longest(), pool, tmp_path / "scores")
    file.unlink()
    assert run_filter(Longest(), pool, tmp_path / "scores").steps[0].done == 1


def test_a_store_that_cannot_be_written_is_told_before_anything_is_computed(make_pool, tmp_path):
    (tmp_path / "file").touch()
    log = tmp_path / "log"
    with pytest.raises(FilterError, match=r"cannot write to the score store .*--store"):
        run_filter(Longest(log=str(log)), make_pool(*PARTS), tmp_path / "file" / "scores")
    assert not log.exists()


@pytest.mark.parametrize(
    ("workers", "trouble"), [(1, "raise"), (2, "raise"), (2, "die"), (1, "exit")]
)
def test_a_failed_part_does_not_lose_the_others(make_pool, tmp_path, workers, trouble):
    parts = [{"text": ["a", trouble]}, *PARTS, {"text": ["last"]}]
    pool = make_pool(*parts)
    with pytest.raises(PartsFailed, match=r"1 of 5 parts failed.*part 0000") as caught:
        run_filter(
            Longest(trouble=trouble), pool, tmp_path / "scores", executor=LocalExecutor(workers)
        )
    (report,) = caught.value.steps
    assert (report.done, report.reused, list(report.failed)) == (4, 0, ["0000"])
    expected = {"raise": "no caption like that", "die": "worker process died", "exit": "SystemExit"}
    assert expected[trouble] in report.failed["0000"]
    plan = explain(Longest(trouble=trouble), pool, tmp_path / "scores")
    assert [task.part for task in plan.steps[0].missing] == ["0000"]


HANGING = """
import subprocess
import sys
from pathlib import Path
from datacomp.filtering import LocalExecutor, filter_class, load_plugin, run_filter
from datacomp.pool import open_pool

if __name__ == "__main__":
    load_plugin(Path({toys!r}))
    chosen = filter_class("toy_longest")(trouble="hang")
    run_filter(chosen, open_pool({pool!r}), Path({store!r}), executor=LocalExecutor(2))
"""


def test_workers_do_not_outlive_a_killed_run(make_pool, tmp_path):
    script = tmp_path / "run.py"
    facts = {"toys": str(TOYS), "pool": make_pool(*PARTS).url, "store": str(tmp_path / "scores")}
    script.write_text(HANGING.format(**facts))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"computing\n"
        run.kill()
        # Ends when the last process that holds the pipe has ended.
        run.communicate(timeout=BOUND_SECONDS)


@pytest.mark.parametrize(
    ("trouble", "facts"),
    [
        ("drop", r"2 rows for 3 of part 0000"),
        ("dtype", r"length: double, but declares length: float"),
        ("list", r"returned list, expected a pyarrow.RecordBatch"),
    ],
)
def test_a_step_is_held_to_what_it_declares(make_pool, tmp_path, trouble, facts):
    with pytest.raises(PartsFailed, match=facts):
        run_filter(Longest(trouble=trouble), make_pool(*PARTS), tmp_path / "scores")


def test_a_selector_reads_what_its_filter_declares_and_nothing_else(make_pool, tmp_path):
    with pytest.raises(FilterError, match=r"'text', which it does not declare.*declares: length"):
        run_filter(Longest(reads="text"), make_pool(*PARTS), tmp_path / "scores")


@pytest.mark.parametrize(
    ("loses", "facts"),
    [("row", "accounts for 2 rows of part 0000, which has 3"), ("part", "fewer parts than")],
)
def test_a_filter_that_loses_rows_is_refused_with_the_numbers(make_pool, tmp_path, loses, facts):
    with pytest.raises(FilterError, match=facts):
        run_filter(filter_class("toy_forgetful")(loses=loses), make_pool(*PARTS), tmp_path)


def test_a_missing_column_is_named_with_its_part_before_anything_runs(make_pool, tmp_path):
    pool = make_pool(PARTS[0], {"url": ["x"]})
    with pytest.raises(FilterError, match=r"0001.parquet has no column 'text'.*has: uid, url"):
        run_filter(Longest(), pool, tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_a_step_reads_features_row_by_row(make_pool, tmp_path):
    features = np.array([[3, 4], [0, 1], [0, 0], [1, 0], [6, 8]], np.float16)
    pool = make_pool(*PARTS[:2], features=features)
    result = run_filter(ByNorm(minimum=5), pool, tmp_path / "scores")
    assert kept(result) == [0, 4]
    assert [(s.done, s.reused) for s in result.steps] == [(2, 0)]
    assert run_filter(ByNorm(minimum=1), pool, tmp_path / "scores").steps[0].reused == 2


def test_fewer_features_than_rows_stop_the_run(make_pool, tmp_path):
    pool = make_pool(*PARTS[:2], features=np.ones((4, 2), np.float16))
    with pytest.raises(PoolError, match=r"0001\.npz.*\(1, 2\).*2 rows"):
        run_filter(ByNorm(), pool, tmp_path / "scores")


def test_an_unregistered_filter_runs_here_but_not_in_other_processes(make_pool, tmp_path):
    class Other(Longest):
        pass

    pool = make_pool(*PARTS)
    assert kept(run_filter(Other(), pool, tmp_path / "scores")) == [2, 4, 6]
    with pytest.raises(UsageError, match="not registered"):
        run_filter(Other(scale=3.0), pool, tmp_path / "scores", executor=LocalExecutor(2))


def test_progress_ends_at_what_rows_to_pass_promises(make_pool, tmp_path):
    class Count:
        n = 0

        def advance(self, n=1, note=""):
            self.n += n

    pool = make_pool(*PARTS)
    for _ in range(2):
        shown = Count()
        run_filter(Longest(), pool, tmp_path / "scores", progress=shown)
        assert shown.n == rows_to_pass(Longest(), pool) == 21


def test_the_plan_estimates_from_what_was_measured(make_pool, tmp_path):
    pool = make_pool(*PARTS)
    plan = explain(Longest(), pool, tmp_path)
    assert plan.steps[0].rows_missing == 7
    assert plan.steps[0].worker_seconds == pytest.approx(7 / 1000)
    folder = tmp_path / "length" / plan.steps[0].spec.key[:16]
    folder.mkdir(parents=True)
    (folder / "manifest.jsonl").write_bytes(
        b'{"n_rows": 10, "seconds": 5.0}\n[1]\n{"n_rows": null}\n\xff\n{"torn'
    )
    assert explain(Longest(), pool, tmp_path).steps[0].worker_seconds == pytest.approx(3.5)


def test_the_lock_says_how_the_same_subset_is_made_again(golden_pool, tmp_path):
    chosen = Longest(minimum=20)
    lock = run_filter(chosen, golden_pool, tmp_path).lock
    assert lock["filter"]["params"] == {
        "minimum": 20,
        "scale": 1.0,
        "trouble": "none",
        "log": None,
        "reads": "length",
    }
    assert lock["counts"]["rows"] == 6000
    assert lock["counts"]["kept"] + sum(lock["counts"]["dropped"].values()) == 6000
    assert [key["step"] for key in lock["keys"]] == ["length"]
    assert lock["uses_truth"] is False
    assert lock["origin"]["toy_longest"].endswith("toys.py")
    assert "plugin file" in lock["filter"]["assets"]
