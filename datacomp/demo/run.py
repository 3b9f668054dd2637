"""The demo from start to end: pool, subsets, runs, reports, submissions, board."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.client import ServiceClient
from datacomp.demo.plot import plot_results
from datacomp.demo.results import Gap, MethodResult, gaps, method_result
from datacomp.demo.subsets import METHODS, make_subset
from datacomp.demo.training import Job, run_jobs
from datacomp.files import write_bytes
from datacomp.pool import open_pool
from datacomp.pool.indexing import StartProgress, silent
from datacomp.pool.tiny.build import build_tiny, require_place
from datacomp.pool.tiny.config import TinyConfig
from datacomp.reports import Report, read_report
from datacomp.subset import read_lock
from datacomp.training.teacher import tiny_teacher
from datacomp_server import Settings, create_token, run_in_thread

TEAM = "demo"
SEEDS = (0, 1)
# The order that the tiny pool is built to show.
EXPECTED = ("oracle", "clip_score 30%", "no_filter")


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo made: results from best to worst, gaps, plot, and the board by the API."""

    results: tuple[MethodResult, ...]
    gaps: tuple[Gap, ...]
    plot: Path
    board: Mapping[str, Any]


def run_demo(
    folder: Path,
    progress: StartProgress = silent,
    *,
    scale: str = "tiny",
    config: TinyConfig | None = None,
) -> DemoOutcome:
    """Do what is missing in `folder`; stopped at any moment, the next call goes on.

    Raises `DatacompError` if any step fails; nothing of what was done is lost.
    """
    pool_folder = folder / "pools" / "tiny"
    config = config or TinyConfig()
    if require_place(pool_folder, config) is None:
        build_tiny(pool_folder, config, tiny_teacher(progress), progress)
    pool = open_pool(str(pool_folder))

    subsets = {
        method.name: make_subset(method, pool, folder / "subsets", folder / "scores", progress)
        for method in METHODS
    }
    jobs = {
        (method.name, seed): Job(
            scale=scale,
            pool=pool.url,
            subset=subsets[method.name],
            seed=seed,
            folder=folder / "runs" / f"{scale}-{subsets[method.name].stem}-seed{seed}",
        )
        for seed in SEEDS
        for method in METHODS
    }
    run_jobs(list(jobs.values()), progress)
    reports = {key: read_report(job.report) for key, job in jobs.items()}
    board = _submit(folder, scale, reports, subsets, progress)

    results = sorted(
        (
            method_result(
                method.name, method.filter is None, [reports[method.name, seed] for seed in SEEDS]
            )
            for method in METHODS
        ),
        key=lambda result: -result.mean,
    )
    plot = folder / "average_by_subset_size.png"
    plot_results(results, next(iter(reports.values())).aggregates.average.chance, plot)
    return DemoOutcome(tuple(results), tuple(gaps(results, EXPECTED)), plot, board)


def demo_settings(folder: Path) -> Settings:
    """The settings of the demo's service: one SQLite file in the demo's folder."""
    return Settings(data_dir=folder / "service")


def _submit(
    folder: Path,
    scale: str,
    reports: Mapping[tuple[str, int], Report],
    subsets: Mapping[str, Path],
    progress: StartProgress,
) -> Mapping[str, Any]:
    """Send every report to a local service, by HTTP as anybody would; the board afterwards."""
    settings = demo_settings(folder)
    described = {method.name: method.description for method in METHODS}
    with (
        run_in_thread(settings) as service,
        ServiceClient(service.url, _token(folder, settings)) as client,
        progress("submit", len(reports), unit="reports") as bar,
    ):
        for (method, seed), report in reports.items():
            client.submit(
                report,
                method,
                description=described[method],
                lock=read_lock(subsets[method]),
            )
            bar.advance(1, f"{method} seed {seed}")
        return client.board(scale)


def _token(folder: Path, settings: Settings) -> str:
    """The demo team's token; kept beside the service so that a second demo is the same team."""
    path = settings.data_dir / "demo.token"
    if not path.exists():
        write_bytes(path, create_token(settings, TEAM, name="demo").encode())
        path.chmod(0o600)
    return path.read_text()
