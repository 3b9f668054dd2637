"""A small HTTP client whose own cost is small: kept connections, no parsing of bodies."""

import asyncio
import gzip
import json
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.reports import make_report

_REST_SECONDS = 3.0  # servers close a connection that nobody has used for 5


@dataclass
class Latencies:
    """How long requests took, in seconds from the moment they were due."""

    seconds: list[float] = field(default_factory=list)
    failures: int = 0

    async def time(self, due: float, answer: Awaitable[int]) -> None:
        try:
            await answer
        except (OSError, RuntimeError, EOFError) as error:
            self.failures += 1
            sys.stderr.write(f"{error}\n")
        self.seconds.append(time.monotonic() - due)

    def at(self, quantile: float) -> float:
        """The quantile by rank; 0 of nothing."""
        ranked = sorted(self.seconds) or [0.0]
        return ranked[min(len(ranked) - 1, int(quantile * len(ranked)))]


class Traffic:
    """Connections to one server; each carries one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._changed: dict[str, tuple[str, float]] = {}
        self.unchanged: dict[str, float] = {}
        """The longest time, in seconds, for which each path gave the same."""
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, path: str) -> int:
        """The size of the answer's body, compressed as browsers get it."""
        size, tag = await self._ask(f"GET {path} HTTP/1.1", "Accept-Encoding: gzip", b"", {200})
        before, since = self._changed.get(path, ("", time.monotonic()))
        if tag != before:
            self._changed[path] = tag, time.monotonic()
        self.unchanged[path] = max(self.unchanged.get(path, 0.0), time.monotonic() - since)
        return size

    async def post(self, body: bytes, token: str) -> int:
        """Hand in a report."""
        headers = f"Authorization: Bearer {token}\r\nContent-Type: application/json"
        return (await self._ask("POST /api/v1/submissions HTTP/1.1", headers, body, {201}))[0]

    async def _ask(self, first: str, headers: str, body: bytes, good: set[int]) -> tuple[int, str]:
        reader, writer = await self._connection()
        head = f"{first}\r\nHost: {self._host}\r\n{headers}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(answer.partition("content-length:")[2].split("\r\n", 1)[0])
        content = await reader.readexactly(length)
        self._idle.append((time.monotonic(), reader, writer))
        status = int(answer.split(" ", 2)[1])
        if status not in good:
            text = gzip.decompress(content) if "content-encoding: gzip" in answer else content
            raise RuntimeError(f"{first}: {status} {text[:500]!r}")
        return length, answer.partition("etag:")[2].split("\r\n", 1)[0]

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The one that was used last, or a new one: the server closes those that rest for long."""
        if self._idle and time.monotonic() - self._idle[-1][0] < _REST_SECONDS:
            return self._idle.pop()[1:]
        return await asyncio.open_connection(self._host, self._port, limit=2**22)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, _, writer in self._idle:
            writer.close()


def report_bodies(n: int) -> list[bytes]:
    """Requests that hand in `n` different reports, three seeds a method."""
    text = json.dumps({"method": "METHOD", "report": make_report(level=0.3).as_json()})
    bodies = []
    for i in range(n):
        method, seed = divmod(i, 3)
        changed = text.replace("METHOD", f"load {method:05}").replace("c" * 64, f"{i:064x}")
        changed = changed.replace("5" * 64, f"{method:064x}")
        bodies.append(changed.replace('"seed": 0', f'"seed": {seed}').encode())
    return bodies
