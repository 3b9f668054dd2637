"""The route of a person's own submissions."""

import json
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.ranking import Ranks
from datacomp_server.boards.made import View
from datacomp_server.boards.snapshots import Snapshots
from datacomp_server.context import Context
from datacomp_server.identity.pages import ContextDep, private
from datacomp_server.identity.people import Person
from datacomp_server.identity.visitors import SignedIn
from datacomp_server.mine import views

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Ulid = Annotated[str | None, Query(pattern="^[0-9A-Z]{26}$")]


@router.get("/account/submissions")
async def own_submissions(
    context: ContextDep, person: SignedIn, team: Ulid = None, before: Ulid = None
) -> Response:
    """What a person's teams handed in, and what to do next."""
    asked = await run_in_threadpool(_boards, context, person, team, before)
    ranks = {board: await _ranks(context.snapshots, *board) for board in sorted(asked)}
    return await run_in_threadpool(_page, context, person, team, before, ranks)


def _boards(
    context: Context, person: Person, team: str | None, before: str | None
) -> set[tuple[str, str]]:
    with context.database.reading() as session:
        found = views.submissions_of(session, person, team, before)
        return {(one.board.scale, one.board.track) for one in found}


def _page(
    context: Context,
    person: Person,
    team: str | None,
    before: str | None,
    ranks: dict[tuple[str, str], Ranks],
) -> Response:
    costs, moment = context.settings.job_costs, context.clock()
    with context.database.reading() as session:
        found = views.submissions_of(session, person, team, before)
        return private(views.page(session, person, team, found, ranks, costs, moment))


async def _ranks(snapshots: Snapshots, scale: str, track: str) -> Ranks:
    query = (("track", track),) if track != FILTERING else ()
    kept = await snapshots.get(View(f"/b/{scale}", query, "api"))
    return {row["id"]: row["rank"] for row in json.loads(kept.packed.body())["rows"]}
