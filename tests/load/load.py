"""Reads of boards and reports coming in, at a steady rate: `python tests/load/load.py`.

Fills a new service with submissions, starts `datacomp serve` as a process of its own, and asks for
boards (page and JSON in turn) and hands in reports at the given rates, whether or not the earlier
ones have been answered; a latency counts from the moment at which a request was due. Prints a
table, and ends with 1 if a request failed or the reads' p99 is over the limit.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from filling import fill
from traffic import Latencies, Traffic, report_bodies

from datacomp_server import Settings
from datacomp_server.context import open_context
from datacomp_server.identity.service import create_token

SHARES = {"tiny": 0.4, "small": 0.3, "medium": 0.2, "large": 0.1}
FREE = {
    "DATACOMP_SERVER_TOKEN_REQUESTS_PER_MINUTE": "1000000",
    "DATACOMP_SERVER_ADDRESS_REQUESTS_PER_MINUTE": "1000000",
    "DATACOMP_SERVER_DEFAULT_SUBMISSIONS": "1000000",
}


@dataclass
class Load:
    """What was asked, and what came back."""

    reads: Latencies = field(default_factory=Latencies)
    writes: Latencies = field(default_factory=Latencies)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="datacomp-load-") as folder:
        os.environ |= FREE
        context = open_context(Settings(data_dir=Path(folder)))
        shares = {options.scale: 1.0} if options.scale else SHARES
        fill(context, options.submissions, shares)
        with context.database.writing() as session:
            token = create_token(session, "Load", moment=context.clock())
        context.close()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = ["serve", "--data", folder, "--port", str(port)]
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen([sys.executable, "-m", "datacomp", *words], stderr=log)
        try:
            load = asyncio.run(_run(port, token, list(shares), options, server.pid))
        finally:
            server.terminate()
            server.wait(60)
        if load.reads.failures or load.writes.failures:
            sys.stdout.write((Path(folder) / "log").read_text()[-4000:])
    _print(load, options)
    wrong = load.reads.failures or load.writes.failures or load.reads.at(0.99) > options.limit / 1e3
    sys.exit(1 if wrong else 0)


async def _run(
    port: int, token: str, scales: list[str], options: argparse.Namespace, pid: int
) -> Load:
    _wait(port)
    async with Traffic("127.0.0.1", port) as traffic:
        paths = [path for s in scales for path in (f"/b/{s}", f"/api/v1/boards/{s}")]
        for path in paths:  # the first visitor of a board waits until it is made
            size = await traffic.get(path)
            sys.stdout.write(f"{path}: {size:,} bytes sent\n")
        bodies = report_bodies(round(options.writes * options.seconds))
        load, before = Load(), time.monotonic()
        cpu = _cpu_seconds(pid)
        await asyncio.gather(
            _steady(
                options.reads,
                options.seconds,
                load.reads,
                lambda i: traffic.get(paths[i % len(paths)]),
            ),
            _steady(
                options.writes,
                options.seconds,
                load.writes,
                lambda i: traffic.post(bodies[i], token),
            ),
        )
        wall = time.monotonic() - before
        sys.stdout.write(
            f"server: {(_cpu_seconds(pid) - cpu) / wall:.2f} cores, without its helper; "
            f"load average of the machine {os.getloadavg()[0]:.1f}\n"
        )
        longest = ", ".join(f"{path} {traffic.unchanged[path]:.1f} s" for path in paths[:2])
        sys.stdout.write(f"unchanged for at most: {longest}\n")
    return load


async def _steady(
    rate: float, seconds: float, seen: Latencies, send: Callable[[int], Awaitable[int]]
) -> None:
    """Send `rate` requests a second, each when it is due."""
    start = time.monotonic()
    tasks = []
    for i in range(round(rate * seconds)):
        due = start + i / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(seen.time(due, send(i))))
    await asyncio.gather(*tasks)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz").raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(load: Load, options: argparse.Namespace) -> None:
    sys.stdout.write(
        f"{'':8}{'count':>8}{'rate/s':>8}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'max':>9}{'failed':>8}\n"
    )
    for name, seen in (("reads", load.reads), ("reports", load.writes)):
        ms = [f"{1e3 * seen.at(q):9.1f}" for q in (0.5, 0.95, 0.99, 1.0)]
        rate = len(seen.seconds) / options.seconds
        sys.stdout.write(
            f"{name:8}{len(seen.seconds):8}{rate:8.0f}{''.join(ms)}{seen.failures:8}\n"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--scale", help="put all of them on one board; default: over four")
    parser.add_argument("--reads", type=float, default=200, help="board requests a second")
    parser.add_argument("--writes", type=float, default=50, help="reports a second")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--limit", type=float, default=100, help="of the reads' p99, in ms")
    return parser.parse_args()


if __name__ == "__main__":
    main()
