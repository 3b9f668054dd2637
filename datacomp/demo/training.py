"""Training and evaluating the demo's runs, several processes side by side, with one progress bar.

One process has one thread. A run that is finished and evaluated is left alone; one that was stopped
goes on from its checkpoint.
"""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from threading import Thread

from datacomp.errors import DatacompError
from datacomp.evaluation.run import evaluate_run, report_dir
from datacomp.evaluation.runner import REPORT_NAME
from datacomp.pool import open_pool
from datacomp.pool.indexing import StartProgress
from datacomp.processes import end_with_parent
from datacomp.progress import Progress
from datacomp.reports import read_report
from datacomp.subset import read_subset
from datacomp.training import Systems, load_scale, read_run, train
from datacomp.training.checkpoint import WEIGHTS

CHECKPOINT_SECONDS = 15.0


@dataclass(frozen=True)
class Job:
    """One run of the demo: a subset and a seed, in a folder of its own."""

    scale: str
    pool: str
    subset: Path
    seed: int
    folder: Path

    @property
    def report(self) -> Path:
        """Where the run's report is when the job is done."""
        return report_dir(self.folder) / REPORT_NAME

    @property
    def weights(self) -> Path:
        """Where the run's weights are when the job is done."""
        return self.folder / WEIGHTS

    def is_done(self) -> bool:
        """Whether there is a complete report of this very run."""
        try:
            record, report = read_run(self.folder), read_report(self.report)
        except (DatacompError, OSError):
            return False
        return (
            record.finished
            and record.subset.sha256 == read_subset(self.subset).sha256
            and record.recipe_id == load_scale(self.scale).recipe_id
            and report.run.checkpoint_sha256 == record.checkpoint_sha256
            and report.aggregates.complete
        )


def run_jobs(jobs: Sequence[Job], progress: StartProgress) -> None:
    """Train and evaluate every job that is not done; the first error ends it."""
    images = load_scale(jobs[0].scale).samples_seen
    done = [job for job in jobs if job.is_done()]
    left = [job for job in jobs if job not in done]
    title = f"train and evaluate {len(jobs)} runs"
    with progress(title, images * len(jobs), done=images * len(done), unit="images") as bar:
        if not left:
            return
        context = multiprocessing.get_context("spawn")
        messages = context.Queue()
        listener = Thread(target=_listen, args=(messages, bar), daemon=True)
        listener.start()
        processes = min(len(left), os.cpu_count() or 1)
        try:
            with ProcessPoolExecutor(
                processes, mp_context=context, initializer=_start, initargs=(messages,)
            ) as pool:
                for future in [pool.submit(_run, job) for job in left]:
                    future.result()
        finally:
            messages.put(None)
            listener.join()


def _run(job: Job) -> None:
    train(
        load_scale(job.scale),
        open_pool(job.pool),
        read_subset(job.subset),
        job.folder,
        subset_name=job.subset.stem,
        seed=job.seed,
        systems=Systems(checkpoint_seconds=CHECKPOINT_SECONDS),
        progress=_Messages(f"{job.subset.stem} seed {job.seed}"),
    )
    report = evaluate_run(job.folder)
    if not report.aggregates.complete:
        failed = {key: task.error for key, task in report.tasks.items() if task.error}
        raise DatacompError(f"{job.folder}: tasks failed: {failed}")


@dataclass(frozen=True)
class _Messages:
    """Progress that is told to the parent process."""

    name: str

    def advance(self, n: int = 1, note: str = "") -> None:
        _queue[0].put((n, f"{self.name}, {note}"))


# The worker process's end of the queue; filled once, by the pool's initializer.
_queue: list["Queue[tuple[int, str] | None]"] = []


def _start(messages: "Queue[tuple[int, str] | None]") -> None:
    end_with_parent()
    _queue.append(messages)


def _listen(messages: "Queue[tuple[int, str] | None]", bar: Progress) -> None:
    while (message := messages.get()) is not None:
        bar.advance(*message)
