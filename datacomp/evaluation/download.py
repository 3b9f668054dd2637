"""Evaluation sets from the Hugging Face hub, into the layout that `dataset` reads.

    report = download_sets("datacomp38", Path("sets"))
    report.is_complete

    DATA_DIR/<set>/               the set; nothing of ours is in it
    DATA_DIR/sources/<set>.json   repository, commit, and each file with size and hash
    DATA_DIR/.staging/            what is under way

A set is pinned to the commit that its first download met. Files enter it by a rename, after they
were verified: a file that is there with its size is done, and the same call goes on after any
stop. Files that somebody else put there are compared once, and never overwritten if they are whole
and different. A set that fails does not cost the others. Needs the extra `download`.
"""

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from datacomp.errors import EvaluationError, UsageError
from datacomp.evaluation.hub_set import STAGING, HubSet, SetReport, plan_set
from datacomp.files import locked
from datacomp.pool.indexing import StartProgress, silent
from datacomp.progress import Progress
from datacomp.reports import Suite, TaskSpec, load_suite

_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class SetsReport:
    """How the sets of a suite came out, in the suite's order."""

    data_dir: Path
    sets: tuple[SetReport, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every set is there."""
        return all(one.error is None for one in self.sets)


def download_sets(
    suite_name: str,
    data_dir: Path,
    tasks: Collection[str] = (),
    progress: StartProgress = silent,
) -> SetsReport:
    """Fetch the sets of a suite, or those of `tasks`; failures are in the report.

    `EvaluationError` if they do not fit on the disk, if nothing can be written into `data_dir`, or
    if another download runs into it.
    """
    specs = _specs(load_suite(suite_name), tasks)
    busy = EvaluationError(f"another download into {data_dir} is running; wait for it to end")
    try:
        (data_dir / STAGING).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"cannot write into {data_dir}: {error.strerror}") from error
    with locked(data_dir / STAGING, busy):
        plans = [plan_set(spec, data_dir) for spec in specs]
        _demand_space(data_dir, plans)
        total = sum(file.size for plan in plans for file in plan.files)
        missing = sum(file.size for plan in plans for file in plan.missing)
        with progress(
            f"sets of {suite_name}", total // 10**6, done=(total - missing) // 10**6, unit="MB"
        ) as bar:
            counter = _Megabytes(bar, total - missing)
            sets = tuple(plan.fetch(counter.add) for plan in plans)
    return SetsReport(data_dir, sets)


def _specs(suite: Suite, tasks: Collection[str]) -> list[TaskSpec]:
    specs = [suite[key] for key in tasks] or list(suite.tasks)
    built = next((spec for spec in specs if not _REPO.fullmatch(spec.source)), None)
    if built is not None:
        raise UsageError(
            f"suite {suite.name!r} is not on the hub: datacomp evaluate builds its sets itself "
            f"({built.key} from {built.source}). To download: --suite datacomp38"
        )
    return list({spec.dataset: spec for spec in specs}.values())


def _demand_space(data_dir: Path, plans: list[HubSet]) -> None:
    needed = sum(plan.space for plan in plans)
    free = shutil.disk_usage(data_dir).free
    if needed > free:
        raise EvaluationError(
            f"the sets need {needed / 1e9:,.1f} GB more in {data_dir}, {free / 1e9:,.1f} GB are "
            "free. Free some, name another --data-dir, or fetch some with --task"
        )


class _Megabytes:
    """Progress of bytes, told in whole megabytes."""

    def __init__(self, bar: Progress, done: int) -> None:
        self.bar, self.done = bar, done

    def add(self, size: int, note: str) -> None:
        before, self.done = self.done // 10**6, self.done + size
        self.bar.advance(self.done // 10**6 - before, note)
