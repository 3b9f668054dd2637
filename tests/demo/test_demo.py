"""The demo at the smoke scale on a small pool, with a fake teacher; CI runs the real one."""

import math
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datacomp.demo import Gap, MethodResult, find_methods, gaps_to, measuring, run_demo
from datacomp.demo import run as demo_run
from datacomp.demo.plot import plot_methods
from datacomp.demo.results import gaps, method_result
from datacomp.errors import StoppedError
from datacomp.pool.tiny.config import TinyConfig
from datacomp.reports import Report
from datacomp.subset import read_lock

CONFIG = TinyConfig(rows=300)
METHODS = "clip_score,oracle"


class FakeTeacher:
    """Colours of a picture and hashed words: enough for scores that differ."""

    name = identity = "fake"

    def encode_image(self, images: list[Image.Image]) -> np.ndarray:
        return np.stack([np.asarray(i.resize((4, 4)), np.float32).ravel() for i in images])

    def encode_text(self, texts: list[str]) -> np.ndarray:
        return np.stack(
            [np.frombuffer(sha256(t.encode()).digest() * 2, np.uint8)[:48] for t in texts]
        ).astype(np.float32)


def result(name: str, *averages: float) -> MethodResult:
    return MethodResult(name, False, 10, 0.1, averages, {})


def stopped(*_: object) -> list[str]:
    raise StoppedError("somebody pressed ^C")


def test_the_whole_way_stopped_and_again(
    tmp_path: Path, tiny_suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATACOMP_CACHE", str(tiny_suite.parents[2]))
    monkeypatch.setattr(demo_run, "tiny_teacher", lambda progress: FakeTeacher())
    asked = {"scale": "smoke", "config": CONFIG, "methods": find_methods(METHODS)}
    with monkeypatch.context() as once:
        once.setattr(measuring, "_unmeasured", stopped)
        with pytest.raises(StoppedError):  # while the worker is at its first jobs
            run_demo(tmp_path, **asked)
    outcome = run_demo(tmp_path, **asked)

    assert {r.name for r in outcome.results} == {"clip_score 30%", "oracle"}
    assert [r.mean for r in outcome.results] == sorted(
        (r.mean for r in outcome.results), reverse=True
    )
    sizes = {r.name: r.subset_size for r in outcome.results}
    assert sizes["clip_score 30%"] == 90
    rows = outcome.board["rows"]
    assert {(row["method"], len(row["seeds"])) for row in rows} == {(m, 2) for m in sizes}
    assert [row["method"] for row in rows if row["oracle"]] == ["oracle"]
    assert {row["level"] for row in rows} == {"re-evaluated"}
    assert [row["rank"] for row in rows if not row["oracle"]] == [1]
    assert (read_lock(tmp_path / "subsets" / "oracle.npy") or {})["uses_truth"] is True
    with Image.open(outcome.plot) as plot:
        assert plot.size == (1200, 720)
    assert outcome.report.exists()

    done = [tmp_path / "runs", tmp_path / "worker"]
    made = {path: path.stat().st_mtime_ns for folder in done for path in folder.rglob("*.*")}
    again = run_demo(tmp_path, **asked)
    assert again.results == outcome.results
    assert again.board["rows"] == rows
    assert made == {path: path.stat().st_mtime_ns for path in made}


def test_reports_of_a_subset_become_a_row(make_report: Callable[..., Report]) -> None:
    reports = [make_report(level=level) for level in (0.3, 0.4)]
    row = method_result("mine", False, reports)
    assert row.averages == tuple(r.aggregates.average.value for r in reports)
    assert row.mean == pytest.approx(sum(row.averages) / 2)
    assert row.spread == pytest.approx((row.averages[1] - row.averages[0]) / math.sqrt(2))


def test_a_gap_holds_beyond_twice_the_larger_spread() -> None:
    results = [result("a", 0.30, 0.32), result("b", 0.20, 0.21), result("c", 0.17, 0.19)]
    first, second = gaps(results, ("a", "b", "c"))
    assert (first.above, first.below, first.holds) == ("a", "b", True)
    assert first.gap == pytest.approx(0.105)
    assert first.spread == pytest.approx(0.02 / math.sqrt(2))
    assert not second.holds


def test_a_gap_may_hold_the_other_way_round() -> None:
    (gap,) = gaps_to([result("a", 0.1, 0.1), result("b", 0.3, 0.31)], "b")
    assert (gap.above, gap.below, gap.holds, gap.reversed) == ("a", "b", False, True)


def test_the_wide_board_is_drawn_with_a_line_a_method(tmp_path: Path) -> None:
    plot_methods([result("a", 0.3, 0.31), result("b", 0.2, 0.22)], ["b"], 0.05, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as plot:
        assert plot.size == (1200, 300)


def test_equal_seeds_need_any_gap() -> None:
    assert Gap("a", "b", 0.001, 0.0).holds
    assert not Gap("a", "b", 0.0, 0.0).holds
