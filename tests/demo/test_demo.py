"""The demo at the smoke scale on a small pool, with a fake teacher; CI runs the real one."""

import math
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datacomp.demo import Gap, MethodResult, gaps_to, run_demo
from datacomp.demo import run as demo_run
from datacomp.demo.plot import plot_methods
from datacomp.demo.results import gaps, method_result
from datacomp.pool.tiny.config import TinyConfig
from datacomp.reports import Report
from datacomp.subset import read_lock

CONFIG = TinyConfig(rows=300)


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


def test_the_whole_way_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_run, "tiny_teacher", lambda progress: FakeTeacher())
    outcome = run_demo(tmp_path, scale="smoke", config=CONFIG)

    assert {r.name for r in outcome.results} == {
        "no_filter",
        "random 30%",
        "basic_filter",
        "clip_score 30%",
        "oracle",
    }
    assert [r.mean for r in outcome.results] == sorted(
        (r.mean for r in outcome.results), reverse=True
    )
    sizes = {r.name: r.subset_size for r in outcome.results}
    assert (sizes["no_filter"], sizes["random 30%"], sizes["clip_score 30%"]) == (300, 90, 90)
    rows = outcome.board["rows"]
    assert {(row["method"], len(row["seeds"])) for row in rows} == {(m, 2) for m in sizes}
    assert [row["method"] for row in rows if row["oracle"]] == ["oracle"]
    assert (read_lock(tmp_path / "subsets" / "oracle.npy") or {})["uses_truth"] is True
    with Image.open(outcome.plot) as plot:
        assert plot.size == (1200, 720)
    assert outcome.report.exists()

    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.*")}
    again = run_demo(tmp_path, scale="smoke", config=CONFIG)
    assert again.results == outcome.results
    assert len(again.board["rows"]) == 5
    assert made == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.*")}


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
