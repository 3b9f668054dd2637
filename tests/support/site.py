"""A service with something on every page: for the browser tests and for `make screenshots`.

What `datacomp serve --showcase` fills in, and beside it a team with hostile names, a job that
waits, a submission that is out, an account that organises.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from datacomp.client import ServiceClient
from datacomp.client.submissions import declare
from datacomp.submission.manifest import Manifest
from datacomp_server import Settings, run_in_thread
from datacomp_server.boards.opening import require_board
from datacomp_server.identity import accounts, registration, service, sessions
from datacomp_server.jobs import service as jobs
from datacomp_server.running import opened
from datacomp_server.showcase import fill_showcase
from support.profiles import make_profile
from support.reports import make_report

METHODS = {
    "markup": ("<script>alert(1)</script>", 0.33),
    "long": ("unbreakable" * 9, 0.31),
    "arabic": ("وسام مرشح", 0.29),
    "fox": ("🦊 fox", 0.28),
    "withdrawn": ("a mistake", 0.27),
}
"""The site's own team's at scale tiny: what its submissions are called here, name and level."""

CAPTIONS = ("<script>alert(1)</script>", "صورة شجرة", "🌳" * 50, "unbreakable" * 18, "a tree")
"""Kept ones of the fox's profile."""

PUBLIC = {
    "home": "/",
    "board": "/b/tiny",
    "board-published": "/b/medium",
    "board-own-data": "/b/tiny?track=byod",
    "board-framed": "/embed/b/tiny",
    "compare": "/compare?ids={fox},{arabic}",
    "compare-nothing": "/compare",
    "scaling": "/scaling",
    "tasks": "/t",
    "task": "/t/names",
    "submission": "/s/{fox}",
    "submission-withdrawn": "/s/{withdrawn}",
    "submission-published": "/s/{published}",
    "queue": "/queue",
    "job": "/j/{job}",
    "log": "/log",
    "docs": "/docs",
    "docs-rules": "/docs/rules",
    "docs-methods": "/docs/methods",
    "docs-submit": "/docs/submit",
    "docs-api": "/docs/api",
    "sign-in": "/sign-in",
    "register": "/register",
}
"""A page of every route that anybody reaches, by a name for it."""
PRIVATE = {
    "account": "/account",
    "account-submissions": "/account/submissions",
    "team": "/teams/{team}",
    "review": "/organise",
    "review-submission": "/organise/submissions/{fox}",
    "budgets": "/organise/budgets",
    "workers": "/organise/workers",
    "audits": "/organise/audits",
    "rule-preview": "/organise/rules?board={board}&rule=robust/1",
}
"""The same of those that the organiser reaches."""


@dataclass(frozen=True)
class Site:
    """A running service; `secret` is the cookie of its organiser, `ids` fill in addresses."""

    url: str
    secret: str
    ids: dict[str, str]

    @property
    def cookie(self) -> dict[str, str]:
        """What signs a browser in."""
        return {"name": "datacomp", "value": self.secret, "url": self.url}

    def path(self, name: str) -> str:
        """The path of a page of `PUBLIC` or `PRIVATE`."""
        return (PUBLIC | PRIVATE)[name].format_map(self.ids)


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """The site, in a thread of this process, with everything in a folder that is empty yet."""
    # A browser that is quick asks for more in a minute than one address may.
    settings = Settings(data_dir=folder, address_requests_per_minute=1_000_000)
    with opened(settings) as context:
        fill_showcase(context)
        with context.database.writing() as session:
            moment = context.clock()
            olga = accounts.create(session, "Olga", password_hash="x", moment=moment)
            accounts.set_organiser(session, olga, True, moment=moment)
            made = registration.found_team(session, settings, olga.id, "Fox & <b>", moment=moment)
            team_id = made.id
            token = service.create_token(session, "Fox & <b>", moment=moment)
            day = timedelta(days=1)
            secret = sessions.start(session, olga.id, moment=moment, lifetime=day)
            job = _queue(session, context.clock())
            board_id = require_board(session, "filtering", "tiny").id
    with run_in_thread(settings) as running:
        with ServiceClient(running.url, token) as client:
            ids = _hand_in(client)
            published = client.board("medium")["rows"][0]["id"]
        ids |= {"published": published, "job": job, "board": board_id, "team": team_id}
        yield Site(running.url, secret, ids)


def _hand_in(client: ServiceClient) -> dict[str, str]:
    """Ids of the team's newest submission of each method, by the names in `METHODS`."""
    ids = {}
    for name, (method, level) in METHODS.items():
        for seed in (0, 1):
            report = make_report(level=level + seed / 50, seed=seed)
            manifest = Manifest(
                method=method,
                description=f"What {method} does.",
                report=report.as_json(),
                profile=make_profile(kept=CAPTIONS) if name == "fox" else None,
            )
            found, _ = declare(client.connection, manifest)
            ids[name] = found["id"]
    reason = {"reason": "a wrong subset"}
    client.connection.call("withdraw_submission", submission_id=ids["withdrawn"], json=reason)
    return ids


def _queue(session: Session, moment: datetime) -> str:
    """The id of a job that no worker here takes."""
    made = jobs.enqueue(
        session,
        kind="train",
        submission=None,
        resource="h100",
        pool_id=None,
        params={},
        expected_seconds=3_600,
        moment=moment,
        charge_to=None,
        by="site",
    )
    return made.id
