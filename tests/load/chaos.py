"""Chaos: workers and the service are killed while the queue works through its jobs.

    python tests/load/chaos.py --folder /tmp/chaos --jobs 200 --pairs 20

Jobs are real, and as short as they come: `--pairs` of them are a smoke training and the evaluation
of what it made, each needing the other's files; the rest are trainings on a subset that is not of
the pool, which end by fault of the submission before anything is trained. `--workers` processes of
`datacomp worker` do them; each `--every` seconds one of them gets SIGKILL and is started again; the
service gets it `--service-kills` times. Afterwards every job must have ended, exactly once and as
it should, and every artifact must be what its name says. Exit code 0 if so; numbers are printed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

from datacomp.errors import ServiceError
from datacomp.files import sha256_file
from datacomp.pool import open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.subset import UID_DTYPE, Subset, write_subset
from datacomp.training import whole_pool
from datacomp_server import Settings
from datacomp_server.artifacts.models import Artifact
from datacomp_server.audit.models import Event
from datacomp_server.context import Context
from datacomp_server.identity.service import create_worker_token
from datacomp_server.jobs import service as jobs
from datacomp_server.jobs.inputs import of_file, of_job
from datacomp_server.jobs.models import Job, JobAttempt
from datacomp_server.running import opened

ENDED = ("job:succeeded", "job:failed", "job:cancelled")
OURS = Job.kind.in_(("train", "evaluate"))  # the service has jobs of its own as well
LOOK_EVERY_SECONDS = 0.2
STOP_SECONDS = 150


@dataclass
class Chaos:
    """The processes of one run, and what was done to them."""

    folder: Path
    settings: Settings
    n_workers: int
    seed: int
    service: subprocess.Popen | None = None
    workers: dict[str, subprocess.Popen] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    done: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start_service(self) -> None:
        words = ("serve", "--port", str(self.port), "--data", str(self.settings.data_dir))
        self.service = self._start("service", words, {})

    def start_worker(self, name: str) -> None:
        state, token = self.folder / name, self.tokens[name]
        words = ("worker", "--url", f"http://127.0.0.1:{self.port}", "--name", name)
        more = ("--pool", str(self.folder / "pool"), "--classes", "smoke", "--device", "cpu")
        words = (*words, *more, "--state", str(state))
        self.workers[name] = self._start(name, words, {"DATACOMP_TOKEN": token})

    def kill_worker(self) -> None:
        name = self.random.choice(sorted(self.workers))
        _kill(self.workers[name])
        self.done["workers killed"] += 1
        self.start_worker(name)

    def kill_service(self) -> None:
        _kill(self.service)
        self.done["service killed"] += 1
        self.start_service()

    def stop(self) -> None:
        """End all that runs, workers gently."""
        for process in self.workers.values():
            process.terminate()
        for process in self.workers.values():
            process.wait(STOP_SECONDS)
        if self.service is not None:
            self.service.terminate()
            self.service.wait(STOP_SECONDS)

    def kill_all(self) -> None:
        """Whatever happened, nothing of this run goes on; tasks that lost their worker included."""
        mark = f"{self.folder}/".encode()
        for process in (*self.workers.values(), self.service):
            if process is not None and process.poll() is None:
                _kill(process)
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                told = command.read_bytes()
                if b"submitit" in told and mark in told:
                    os.kill(int(command.parent.name), signal.SIGKILL)

    def _start(self, name: str, words: tuple[str, ...], environ: dict[str, str]):
        url = self.settings.database_url
        settings = {
            "DATACOMP_SERVER_LEASE_SECONDS": str(self.settings.lease_seconds),
            "DATACOMP_SERVER_BEAT_SECONDS": str(self.settings.beat_seconds),
            "DATACOMP_SERVER_RETRY_SECONDS": str(self.settings.retry_seconds),
            "OMP_NUM_THREADS": "1",
            # A process that lives a few seconds should not compile its modules each time.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),
        } | ({"DATACOMP_SERVER_DATABASE_URL": url} if url else {})
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "datacomp", *words],
                env=os.environ | settings | environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def _kill(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()


def prepare(chaos: Chaos, n_jobs: int, n_pairs: int) -> None:
    """A pool, its subset and one that is not of it, tokens, and the jobs."""
    build_tiny(chaos.folder / "pool", TinyConfig(rows=300, seed=3))
    pool = open_pool(str(chaos.folder / "pool"))
    foreign = Subset.from_uids(np.array([(1, 2), (3, 4)], UID_DTYPE))
    write_subset(whole_pool(pool), chaos.folder / "whole.npy", {})
    write_subset(foreign, chaos.folder / "foreign.npy", {})
    with opened(chaos.settings) as context, context.database.writing() as session:
        moment = context.clock()
        for number in range(chaos.n_workers):
            name = f"w{number}"
            chaos.tokens[name] = create_worker_token(session, name, moment=moment)
        files = {}
        for name in ("whole", "foreign"):
            path = chaos.folder / f"{name}.npy"
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


def rage(chaos: Chaos, context: Context, args: argparse.Namespace) -> None:
    """Kill until all jobs have ended; `ServiceError` if that takes longer than `args.bound`."""
    start = killed = time.monotonic()
    left = [args.jobs * (n + 1) // (args.service_kills + 1) for n in range(args.service_kills)]
    while True:
        with context.database.reading() as session:
            done = select(func.count()).where(OURS, Job.finished_at.is_not(None))
            ended = session.scalar(done)
        if ended == args.jobs:
            return
        now = time.monotonic()
        if now - start > args.bound:
            raise ServiceError(f"{ended} of {args.jobs} jobs ended in {args.bound:.0f} s")
        if left and ended >= left[0]:
            left.pop(0)
            chaos.kill_service()
        if now - killed >= args.every and chaos.done["workers killed"] < args.kills:
            killed = now
            chaos.kill_worker()
        time.sleep(LOOK_EVERY_SECONDS)


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
    store = context.settings.artifacts_dir
    there = {path.stem: path for path in store.rglob("*") if path.is_file()}
    for sha256, size in known.items():
        path = there.get(sha256)
        if path is None or path.stat().st_size != size or sha256_file(path) != sha256:
            found.append(f"artifact {sha256} is not whole")
    found += [f"{name} in the store is no artifact" for name in there if name not in known]
    return found


def numbers(chaos: Chaos, context: Context, seconds: float) -> dict[str, object]:
    """What happened."""
    with context.database.reading() as session:
        tried = Counter(session.scalars(select(Job.attempt).where(OURS)).all())
        endings = Counter(session.scalars(select(JobAttempt.ending)).all())
        n_artifacts = len(session.scalars(select(Artifact.sha256)).all())
    said = "".join((chaos.folder / f"{name}.log").read_text() for name in chaos.workers)
    return {
        "seconds": round(seconds, 1),
        **chaos.done,
        "jobs by tries": dict(sorted(tried.items())),
        "attempts by ending": dict(endings),
        "taken up again": said.count("taken up again"),
        "leases lost": said.count(" lost: "),
        "artifacts, all whole": n_artifacts,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="new; removed if all is well")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=20, help="of training and evaluation")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between kills")
    parser.add_argument("--kills", type=int, default=10**9, help="at most, of workers")
    parser.add_argument("--service-kills", type=int, default=2)
    parser.add_argument("--database-url", help="default: SQLite in the folder")
    parser.add_argument("--bound", type=float, default=3600.0, help="seconds in all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    settings = Settings(
        data_dir=args.folder / "service",
        database_url=args.database_url,
        lease_seconds=60,
        beat_seconds=5,
        retry_seconds=1,
    )
    chaos = Chaos(args.folder.resolve(), settings, args.workers, args.seed)
    prepare(chaos, args.jobs, args.pairs)
    start = time.monotonic()
    with opened(settings) as context:
        try:
            chaos.start_service()
            for name in chaos.tokens:
                chaos.start_worker(name)
            rage(chaos, context, args)
            chaos.stop()
        finally:
            chaos.kill_all()
        found = problems(context, args.pairs)
        told = json.dumps(numbers(chaos, context, time.monotonic() - start), indent=2)
    sys.stdout.write("\n".join([told, *(f"PROBLEM {problem}" for problem in found), ""]))
    if not found:
        shutil.rmtree(args.folder)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
