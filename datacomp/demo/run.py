"""The demo from start to end: pool, subsets, runs, reports, submissions, board."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.client import ServiceClient
from datacomp.demo.handing_in import Entry, hand_in
from datacomp.demo.measuring import measure_again
from datacomp.demo.methods import BASELINES, FRACTION, Method
from datacomp.demo.needs import Site, provide
from datacomp.demo.plot import plot_methods, plot_results
from datacomp.demo.results import Gap, MethodResult, gaps, method_result
from datacomp.demo.subsets import make_filter, make_subset
from datacomp.demo.tokens import demo_tokens
from datacomp.demo.training import Job, run_jobs
from datacomp.filtering import Filter
from datacomp.filtering.report_files import write_report
from datacomp.filtering.reporting import report as noise_report
from datacomp.pool import Pool, open_pool
from datacomp.pool.indexing import StartProgress, silent
from datacomp.pool.tiny.build import build_tiny, require_place
from datacomp.pool.tiny.config import TinyConfig
from datacomp.reports import read_report
from datacomp.training.teacher import tiny_teacher
from datacomp_server import Settings, run_in_thread

LEASE_SECONDS, BEAT_SECONDS = 60, 15
# The order that the tiny pool is built to show.
EXPECTED = ("oracle", "clip_score 30%", "no_filter")


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo made: results from best to worst, gaps, pictures, and the board by the API.

    `plot` shows the averages, `report` what the methods' scores find of the planted noise.
    """

    results: tuple[MethodResult, ...]
    gaps: tuple[Gap, ...]
    plot: Path
    report: Path
    board: Mapping[str, Any]


def run_demo(
    folder: Path,
    progress: StartProgress = silent,
    *,
    methods: Sequence[Method] = BASELINES,
    seeds: int = 2,
    scale: str = "tiny",
    config: TinyConfig | None = None,
) -> DemoOutcome:
    """Do what is missing in `folder`; stopped at any moment, the next call goes on.

    Raises `DatacompError` if any step fails; nothing of what was done is lost.
    """
    pool = _pool(folder, config or TinyConfig(), progress)
    needed = [need for method in methods for need in method.needs]
    places = provide(dict.fromkeys(needed), Site(folder, pool, scale, progress))
    filters = {method.name: make_filter(method, places) for method in methods}
    subsets = {
        method.name: make_subset(
            method, filters[method.name], pool, folder / "subsets", folder / "scores", progress
        )
        for method in methods
    }
    report = _report(filters, pool, folder, progress)
    jobs = {
        (method.name, seed): Job(
            scale=scale,
            pool=pool.url,
            subset=subsets[method.name],
            seed=seed,
            folder=folder / "runs" / f"{scale}-{subsets[method.name].stem}-seed{seed}",
        )
        for seed in range(seeds)
        for method in methods
    }
    run_jobs(list(jobs.values()), progress)
    reports = {key: read_report(job.report) for key, job in jobs.items()}
    by_name = {method.name: method for method in methods}
    entries = [Entry(by_name[name], job, folder / "scores") for (name, _), job in jobs.items()]
    board = _submit(folder, scale, entries, progress)

    rows = (
        method_result(
            method.name,
            method.selection is None,
            [reports[method.name, seed] for seed in range(seeds)],
        )
        for method in methods
    )
    results = sorted(rows, key=lambda result: -result.mean)
    plot = _plot(results, next(iter(reports.values())).aggregates.average.chance, folder)
    return DemoOutcome(tuple(results), tuple(gaps(results, EXPECTED)), plot, report, board)


def demo_settings(folder: Path) -> Settings:
    """The settings of the demo's service: one SQLite file in the demo's folder.

    Its team has the machine for itself, and a job that a killed demo had just taken is free again
    after a minute.
    """
    return Settings(
        data_dir=folder / "service",
        team_running_jobs=os.cpu_count() or 1,
        lease_seconds=LEASE_SECONDS,
        beat_seconds=BEAT_SECONDS,
    )


def _pool(folder: Path, config: TinyConfig, progress: StartProgress) -> Pool:
    place = folder / "pools" / "tiny"
    if require_place(place, config) is None:
        build_tiny(place, config, tiny_teacher(progress), progress)
    return open_pool(str(place))


def _report(
    filters: Mapping[str, Filter | None], pool: Pool, folder: Path, progress: StartProgress
) -> Path:
    """Compare the methods with the truth, besides the oracle, which is the truth; the picture."""
    chosen = {name: one for name, one in filters.items() if one is not None}
    found = noise_report(chosen, pool, folder / "scores", FRACTION, progress=progress)
    return write_report(found, folder / "report")[0]


def _plot(results: Sequence[MethodResult], chance: float | None, folder: Path) -> Path:
    """Averages by subset size; of more methods, most of one size, a line a method."""
    if len(results) <= len(BASELINES):
        plot = folder / "average_by_subset_size.png"
        plot_results(results, chance, plot)
    else:
        plot = folder / "average_by_method.png"
        plot_methods(results, [method.name for method in BASELINES], chance, plot)
    return plot


def _submit(
    folder: Path, scale: str, entries: Sequence[Entry], progress: StartProgress
) -> Mapping[str, Any]:
    """Hand every run in to a local service, and have a worker measure it; the board afterwards.

    All of it goes by HTTP, as anybody's would.
    """
    settings = demo_settings(folder)
    tokens = demo_tokens(settings)
    with run_in_thread(settings) as service, ServiceClient(service.url, tokens["team"]) as client:
        ids = hand_in(client.connection, entries, progress)
        measure_again(
            client.connection,
            tokens["worker"],
            ids,
            scale=scale,
            folder=folder / "worker",
            progress=progress,
        )
        return client.board(scale)
