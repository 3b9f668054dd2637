"""The jobs of chaos.py, and the judgement afterwards: every job ended once, every file whole."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from sqlalchemy import select

from datacomp.files import sha256_file
from datacomp.pool import open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.subset import UID_DTYPE, Subset, write_subset
from datacomp.training import whole_pool
from datacomp_server.artifacts.models import Artifact
from datacomp_server.audit.models import Event
from datacomp_server.context import Context
from datacomp_server.identity.service import create_worker_token
from datacomp_server.jobs import service as jobs
from datacomp_server.jobs.inputs import of_file, of_job
from datacomp_server.jobs.models import Job, JobAttempt

ENDED = ("job:succeeded", "job:failed", "job:cancelled")
OURS = Job.kind.in_(("train", "evaluate"))  # the service has jobs of its own as well


def prepare(
    context: Context, folder: Path, workers: Iterable[str], n_jobs: int, n_pairs: int
) -> dict[str, str]:
    """A pool, its subset and one that is not of it, and the jobs; the workers' tokens by name."""
    build_tiny(folder / "pool", TinyConfig(rows=300, seed=3))
    pool = open_pool(str(folder / "pool"))
    foreign = Subset.from_uids(np.array([(1, 2), (3, 4)], UID_DTYPE))
    write_subset(whole_pool(pool), folder / "whole.npy", {})
    write_subset(foreign, folder / "foreign.npy", {})
    with context.database.writing() as session:
        moment = context.clock()
        tokens = {name: create_worker_token(session, name, moment=moment) for name in workers}
        files = {}
        for name in ("whole", "foreign"):
            path = folder / f"{name}.npy"
            files[name] = context.artifacts.put_bytes(path.read_bytes())
            size = path.stat().st_size
            session.add(Artifact(sha256=files[name], size=size, created_at=moment))
        session.flush()
        pool_id = pool.require_manifest().pool_id
        for number in range(n_jobs - n_pairs):
            train = enqueue(
                session,
                "train",
                {"scale": "smoke", "seed": number, "subset_name": "chaos"},
                {"subset": of_file(files["whole" if number < n_pairs else "foreign"])},
                pool_id=pool_id,
                moment=moment,
            )
            if number < n_pairs:
                inputs = {role: of_job(train, role) for role in ("checkpoint", "run")}
                enqueue(session, "evaluate", {"suite": "tiny"}, inputs, (train,), moment=moment)
    return tokens


def enqueue(session, kind, params, inputs, needs=(), *, moment, pool_id=None) -> Job:
    return jobs.enqueue(
        session,
        kind=kind,
        submission=None,
        resource="smoke",
        pool_id=pool_id,
        params={**params, "inputs": inputs},
        needs=needs,
        expected_seconds=60,
        by="organiser:chaos",
        moment=moment,
        charge_to=None,
    )


def problems(context: Context, n_pairs: int) -> list[str]:
    """Whatever is not as it must be."""
    found = []
    with context.database.reading() as session:
        every = session.scalars(select(Job).where(OURS)).all()
        shorts = [job for job in every if job.status == "failed" and job.fault == "user"]
        wholes = [job for job in every if job.status == "succeeded"]
        if (len(wholes), len(shorts)) != (2 * n_pairs, len(every) - 2 * n_pairs):
            told = Counter((job.kind, job.status, job.fault, job.detail) for job in every)
            found.append(f"jobs did not end as they should: {dict(told)}")
        ends = Counter(session.scalars(select(Event.subject_id).where(Event.tag.in_(ENDED))).all())
        for job in every:
            if ends[job.id] != 1:
                found.append(f"job {job.id} ended {ends[job.id]} times")
        for attempt in session.scalars(select(JobAttempt)).all():
            if attempt.ended_at is None:
                found.append(f"attempt {attempt.lease_id} never ended")
        known = {one.sha256: one.size for one in session.scalars(select(Artifact)).all()}
    there = {path.stem: path for path in stored(context)}
    for sha256, size in known.items():
        if sha256 not in there or there[sha256].stat().st_size != size:
            found.append(f"artifact {sha256} is not here, or has another size")
    found += [f"{name} is not its content" for name in there if sha256_file(there[name]) != name]
    return found


def stored(context: Context) -> list[Path]:
    """Every file that stands in the store under a content's name."""
    return [path for path in context.settings.artifacts_dir.rglob("*.bin") if path.is_file()]


def numbers(context: Context, said: str) -> dict[str, object]:
    """What happened; `said` is all that the workers printed."""
    with context.database.reading() as session:
        tried = Counter(session.scalars(select(Job.attempt).where(OURS)).all())
        endings = Counter(session.scalars(select(JobAttempt.ending)).all())
        n_artifacts = len(session.scalars(select(Artifact.sha256)).all())
    return {
        "jobs by tries": dict(sorted(tried.items())),
        "attempts by ending": dict(endings),
        "taken up again by a restarted worker": said.count("taken up again"),
        "leases lost": said.count(" lost: "),
        "artifacts, all whole": n_artifacts,
        "files in the store, all whole": len(stored(context)),
    }
