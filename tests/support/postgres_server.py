"""A Postgres server of its own, which lives as long as whoever started this script.

Run by the fixture `postgres`, not by pytest: `python postgres_server.py BIN FOLDER`. Makes a
cluster in FOLDER, serves it on a Unix socket there and on nothing else, and prints "ready". When
its standard input ends, because the tests did or were killed, it stops the server and removes
FOLDER. Root may not run Postgres, so that root's runs as `nobody`.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

BOUND_SECONDS = 60
PR_SET_PDEATHSIG = 1
# Nothing here outlives a test, so nothing need be safe on disk.
OPTIONS = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "shared_buffers=32MB",
    "max_connections=200",
    "listen_addresses=",
    "unix_socket_permissions=0777",
)


def _as_child() -> None:
    os.setsid()
    if os.geteuid() == 0:
        import pwd

        user = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    # also if this script is killed: the kernel then tells the server to stop
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _start(folder: Path, binaries: Path) -> subprocess.Popen[bytes]:
    data, log = folder / "data", folder / "log"
    words = ["--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", "-U", "postgres"]
    with log.open("wb") as output:
        subprocess.run(
            [binaries / "initdb", *words, "-D", data],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_as_child,
            cwd=folder,
            check=True,
        )
        options = [word for option in OPTIONS for word in ("-c", option)]
        return subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_as_child,
            cwd=folder,
        )


def _wait_until_ready(folder: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + BOUND_SECONDS
    state = folder / "data" / "postmaster.pid"
    while not (state.exists() and state.read_text().splitlines()[7:8] == ["ready   "]):
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"Postgres did not start:\n{(folder / 'log').read_text()}")
        time.sleep(0.01)


def main() -> None:
    binaries, folder = map(Path, sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    try:
        server = _start(folder, binaries)
        try:
            _wait_until_ready(folder, server)
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            sys.stdin.read()
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(BOUND_SECONDS)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
