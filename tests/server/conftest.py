"""A service on a fresh database, its HTTP client, and builders for what goes in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from datacomp.reports import Report
from datacomp_server import Settings
from datacomp_server.app import create_app
from datacomp_server.context import Context, open_context
from datacomp_server.identity.service import create_token
from datacomp_server.kit.clock import now


@dataclass
class Service:
    """A service in this process: `http` talks to it, `tokens` remembers one token a team."""

    context: Context
    http: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, team: str = "Alpha") -> str:
        if team not in self.tokens:
            with self.context.database.writing() as session:
                self.tokens[team] = create_token(session, team, moment=self.context.clock())
        return self.tokens[team]

    def auth(self, team: str = "Alpha") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(team)}"}

    def submit(
        self,
        report: Report | dict[str, Any],
        method: str = "mine",
        team: str = "Alpha",
        **body: Any,
    ) -> Any:
        value = report.as_json() if isinstance(report, Report) else report
        return self.http.post(
            "/api/v1/submissions",
            json={"method": method, "report": value, **body},
            headers=self.auth(team),
        )


@pytest.fixture
def make_service(
    tmp_path: Path, make_database_url: Callable[..., str]
) -> Iterator[Callable[..., Service]]:
    """`make_service(*, clock, **settings)`: a service with folder and database of its own.

    Runs once on SQLite and once on Postgres; closed at the end.
    """
    opened: list[TestClient] = []

    def make(clock: Callable[[], datetime] = now, **settings: Any) -> Service:
        facts = {"data_dir": tmp_path / f"service{len(opened)}", "run_jobs": False}
        facts["board_seconds"] = 0  # every view shows what the test just did
        if "database_url" not in settings:
            facts["database_url"] = make_database_url()
        context = open_context(Settings(**facts | settings), clock=clock)
        http = TestClient(create_app(context))
        opened.append(http.__enter__())
        return Service(context, http)

    yield make
    for http in opened:
        http.__exit__(None, None, None)


@pytest.fixture
def standing() -> Callable[[], datetime]:
    """A clock that stands: no limit recovers meanwhile, however slow the machine is."""
    moment = now()
    return lambda: moment


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    """A service with the default settings, once on each database."""
    return make_service()


@pytest.fixture
def make_lock() -> Callable[..., dict[str, Any]]:
    """`make_lock(report, **values)`: a lock file that belongs to the report's subset."""

    def make(report: Report, **values: Any) -> dict[str, Any]:
        subset = report.run.subset
        facts = {"sha256": subset.sha256, "n": subset.n, "n_unique": subset.n_unique}
        return facts | {"uses_truth": False} | values

    return make
