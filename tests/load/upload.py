"""A large upload through a real service: cut by killing the client, then by killing the service.

    python tests/load/upload.py [GIB]

Numbers: seconds and rate, memory of both processes, how long other requests waited meanwhile.
"""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from datacomp.client import Connection
from datacomp.errors import ServiceError
from datacomp_server import Settings, create_token

GIB, MIB = 2**30, 2**20
CLIENT = """
import sys
from pathlib import Path
from datacomp.client import Connection
from datacomp.client.uploads import upload_file

def say(received):
    status = Path("/proc/self/status").read_text()
    print(received, int(status.split("VmHWM:")[1].split()[0]), flush=True)

url, token, path, sha256 = sys.argv[1:]
with Connection(url, token) as connection:
    say(0)
    upload_file(connection, Path(path), sha256=sha256, progress=say)
"""


def main() -> None:
    """Make a file, send it, and say what it took."""
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else "2") * GIB)
    with tempfile.TemporaryDirectory() as folder:
        path, service = Path(folder) / "file", Service(Path(folder) / "service")
        sha256 = make_file(path, size)
        service.start()
        try:
            with service.answers_meanwhile() as waits:
                send(service, path, sha256, size)
            check(service, sha256, size)
        finally:
            service.kill()
    waits.sort()
    p99 = waits[int(len(waits) * 0.99)] * 1000
    say(f"others: {len(waits)} requests meanwhile, p99 {p99:.0f} ms, longest {waits[-1]:.2f} s")


def send(service: "Service", path: Path, sha256: str, size: int) -> None:
    """Send the file in three goes."""
    idle, begun = service.memory(), time.perf_counter()
    first = Client(service, path, sha256)
    first.until(0.3 * size)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    safe = service.received(sha256, size)
    say(f"client killed, {safe / MIB:,.0f} of {size / MIB:,.0f} MiB safe")
    second = Client(service, path, sha256)
    second.until(0.6 * size)
    peak = service.memory()
    service.kill()
    service.start()
    say(f"service killed at {service.received(sha256, size) / MIB:,.0f} MiB and started again")
    second.until(size)
    assert second.process.wait() == 0
    seconds = time.perf_counter() - begun
    peak = max(peak, service.memory())
    say(f"{size / MIB:,.0f} MiB in {seconds:.1f} s, {size / MIB / seconds:,.0f} MiB/s")
    say(f"service: {idle / 1024:.0f} MiB at rest, {peak / 1024:.0f} MiB at most")
    grown = max(first.peak - first.before, second.peak - second.before)
    say(f"client: {second.before / 1024:.0f} MiB at rest, {grown / 1024:.0f} MiB more at most")


def check(service: "Service", sha256: str, size: int) -> None:
    """What came back from the service is what was sent."""
    digest, begun = hashlib.sha256(), time.perf_counter()
    with service.connection().stream("get_artifact", sha256=sha256) as answer:
        for piece in answer.iter_bytes(MIB):
            digest.update(piece)
    assert digest.hexdigest() == sha256
    seconds = time.perf_counter() - begun
    say(f"read back in {seconds:.1f} s; service {service.memory() / 1024:.0f} MiB at most")


class Service:
    """`datacomp serve` on a folder, as a process that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = create_token(Settings(data_dir=folder), "Alpha")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "datacomp", "serve", "--data", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                httpx.get(f"{self.url}/api/v1/boards/tiny").raise_for_status()
                return
            except httpx.TransportError:
                assert self.process.poll() is None, "the service did not start"
                time.sleep(0.05)

    def kill(self) -> None:
        """End it with no chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def memory(self) -> int:
        """The most memory it had so far, KiB."""
        return peak_memory(self.process.pid)

    def connection(self) -> Connection:
        """A connection as the team."""
        return Connection(self.url, self.token)

    def received(self, sha256: str, size: int) -> int:
        """What the service has safely."""
        declared = {"sha256": sha256, "size": size}
        return int(self.connection().read("create_upload", json=declared)["received"])

    @contextmanager
    def answers_meanwhile(self) -> Iterator[list[float]]:
        """Ask for a board twenty times a second; yields the seconds that each answer took."""
        waits: list[float] = []
        done = threading.Event()

        def ask() -> None:
            with Connection(self.url) as connection:
                while not done.wait(0.05):
                    begun = time.perf_counter()
                    try:
                        connection.call("get_board", scale="tiny")
                        waits.append(time.perf_counter() - begun)
                    except ServiceError:
                        pass  # it is being killed

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield waits
        finally:
            done.set()
            thread.join()


class Client:
    """A process that uploads; `before` and `peak` are its memory, KiB."""

    def __init__(self, service: Service, path: Path, sha256: str) -> None:
        arguments = [service.url, service.token, str(path), sha256]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, *arguments], stdout=subprocess.PIPE, text=True
        )
        self.before = self.peak = 0

    def until(self, received: float) -> None:
        """Read what it says until it has brought so many bytes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            count, self.peak = map(int, line.split())
            self.before = self.before or self.peak
            if count >= received:
                return
        raise AssertionError("the client ended early")


def make_file(path: Path, size: int) -> str:
    """Random bytes that repeat nowhere in 16 MiB; returns the sha256."""
    block, digest = bytearray(os.urandom(16 * MIB)), hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            block[:8] = start.to_bytes(8, "little")
            piece = memoryview(block)[: size - start]
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def peak_memory(pid: int) -> int:
    """The most resident memory that a process had, KiB."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0])


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
