"""The profile of a submission, made from what lies on this machine: pool, subset, run."""

from dataclasses import dataclass
from pathlib import Path

from datacomp.errors import PoolError
from datacomp.pool.indexing import StartProgress, silent
from datacomp.reports import Report
from datacomp.submission.profile import SCHEMA, Portrait, Profile


@dataclass(frozen=True)
class Places:
    """Where to look: a pool's URL, a subset file, a score store; None where there is none."""

    pool: str | None = None
    subset: Path | None = None
    scores: Path | None = None


def profile_of_run(
    report: Report, report_path: Path, places: Places, progress: StartProgress = silent
) -> Profile:
    """The portrait of a run's subset, and its curve if the report lies in RUN/evaluation/SUITE.

    `PoolError` or `SubsetError` if the pool is not the run's, or one of them cannot be read.
    """
    from datacomp.submission.curve import curve_of
    from datacomp.training.metrics_log import read_metrics
    from datacomp.training.run import METRICS

    log = Path(*report_path.resolve().parts[:-3]) / METRICS
    portrait = portrait_of(places, report.run.pool_id, progress)
    return Profile(schema=SCHEMA, portrait=portrait, curve=curve_of(read_metrics(log)))


def portrait_of(
    places: Places, pool_id: str | None = None, progress: StartProgress = silent
) -> Portrait | None:
    """The portrait of a subset beside its pool, which is the one of id `pool_id`; None if one of
    them is not named. Errors as of `profile_of_run`.
    """
    if places.pool is None or places.subset is None:
        return None
    from datacomp.pool import open_pool
    from datacomp.submission.portrait import portray, rows_to_read

    pool = open_pool(places.pool)
    found = pool.require_manifest().pool_id
    if pool_id is not None and found != pool_id:
        raise PoolError(f"{places.pool} is the pool {found[:12]}, the run's is {pool_id[:12]}")
    with progress("portray", rows_to_read(pool), unit="rows") as bar:
        return portray(pool, places.subset, scores=places.scores, progress=bar)
