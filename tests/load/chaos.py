"""Chaos: workers and the service are killed while the queue works through its jobs.

    python tests/load/chaos.py --folder /tmp/chaos --jobs 200 --pairs 20

Jobs are real, and as short as they come: `--pairs` of them are a smoke training and the evaluation
of what it made, each needing the other's files; the rest are trainings on a subset that is not of
the pool, which end by fault of the submission before anything is trained. `--workers` processes of
`datacomp worker` do them; each `--every` seconds one of them gets SIGKILL and is started again; the
service gets it `--service-kills` times. Afterwards every job must have ended, exactly once and as
it should, and every artifact must be what its name says. Exit code 0 if so; numbers are printed.

The machine must be quiet: with 4 workers a worker lives 4 s, and on two busy cores its start takes
as long. On two quiet ones, --pairs 10: 200 jobs in 251 s, 250 kills of workers and 2 of the
service; 6 leases ran out (killed between the claim and writing it down), 52 files, all whole.
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

from chaos_jobs import OURS, numbers, prepare, problems
from sqlalchemy import func, select

from datacomp.errors import ServiceError
from datacomp_server import Settings
from datacomp_server.context import Context
from datacomp_server.jobs.models import Job
from datacomp_server.running import opened

LOOK_EVERY_SECONDS = 0.2
STOP_SECONDS = 150
PORTS = range(20_000, 30_000)  # below those that the system gives away while the service is dead


@dataclass
class Chaos:
    """The processes of one run, and what was done to them."""

    folder: Path
    settings: Settings
    seed: int
    service: subprocess.Popen | None = None
    workers: dict[str, subprocess.Popen] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    done: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.port = _free_port()

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

    def said(self) -> str:
        """All that the workers printed."""
        return "".join((self.folder / f"{name}.log").read_text() for name in self.workers)

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


def _free_port() -> int:
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServiceError(f"100 ports of {PORTS} are taken")


def rage(chaos: Chaos, context: Context, args: argparse.Namespace) -> None:
    """Kill until all jobs have ended; `ServiceError` if that takes longer than `args.bound`."""
    start = time.monotonic()
    next_kill = start + args.every
    left = [args.jobs * (n + 1) // (args.service_kills + 1) for n in range(args.service_kills)]
    while (ended := n_ended(context)) < args.jobs:
        if time.monotonic() - start > args.bound:
            raise ServiceError(f"{ended} of {args.jobs} jobs ended in {args.bound:.0f} s")
        if left and ended >= left[0]:
            left.pop(0)
            chaos.kill_service()
        if time.monotonic() >= next_kill and chaos.done["workers killed"] < args.kills:
            next_kill += args.every
            chaos.kill_worker()
        time.sleep(max(0.0, min(LOOK_EVERY_SECONDS, next_kill - time.monotonic())))


def n_ended(context: Context) -> int:
    """Jobs that have ended."""
    with context.database.reading() as session:
        statement = select(func.count()).where(OURS, Job.finished_at.is_not(None))
        return session.scalar(statement) or 0


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
    chaos = Chaos(args.folder.resolve(), settings, args.seed)
    names = [f"w{number}" for number in range(args.workers)]
    with opened(settings) as context:
        chaos.tokens = prepare(context, chaos.folder, names, args.jobs, args.pairs)
        start = time.monotonic()
        try:
            chaos.start_service()
            for name in names:
                chaos.start_worker(name)
            rage(chaos, context, args)
            seconds = time.monotonic() - start
            chaos.stop()
        finally:
            chaos.kill_all()
            told = {"jobs ended": n_ended(context), **chaos.done, **numbers(context, chaos.said())}
            sys.stdout.write(json.dumps(told, indent=2) + "\n")
        found = problems(context, args.pairs)
    end = f"{args.jobs} jobs ended in {seconds:.1f} s, {len(found)} problems"
    sys.stdout.write("\n".join([*(f"PROBLEM {problem}" for problem in found), end, ""]))
    if not found:
        shutil.rmtree(args.folder)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
