"""The pages of the documentation; only that of the rules asks the database."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from datacomp_leaderboard.docs.api import api_page
from datacomp_leaderboard.docs.index import docs_page
from datacomp_leaderboard.docs.methods import methods_page
from datacomp_leaderboard.docs.rules import BoardTerms, JobCost, RulesPage, rules_page
from datacomp_leaderboard.docs.submit import submit_page
from datacomp_leaderboard.render import render
from datacomp_leaderboard.rules import OFFICIAL
from datacomp_leaderboard.scales import SCALES
from datacomp_server.boards import opening, ruling
from datacomp_server.boards.models import Board
from datacomp_server.context import Context, get_context
from datacomp_server.jobs.costs import Costs

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/docs")
def docs() -> str:
    """What there is to read."""
    return render(docs_page())


@router.get("/docs/rules")
def docs_rules(context: Annotated[Context, Depends(get_context)]) -> str:
    """What ranks, levels and budgets follow from."""
    with context.database.reading() as session:
        return render(rules_of(session, context.settings.job_costs))


@router.get("/docs/methods")
def docs_methods() -> str:
    """Every method that comes with the software."""
    return render(methods_page())


@router.get("/docs/submit")
def docs_submit() -> str:
    """How to hand in, and why something is refused."""
    return render(submit_page())


@router.get("/docs/api")
def docs_api(request: Request) -> str:
    """The reference of the API."""
    return render(api_page(request.app.openapi(), request.app.openapi_url))


def rules_of(session: Session, costs: Costs) -> RulesPage:
    """The rules as they are in force now."""
    told = (
        JobCost(scale, filter=cost.filter, train=cost.train, evaluate=cost.evaluate)
        for scale, cost in costs.items()
    )
    return rules_page(_terms(session), told)


def _terms(session: Session) -> Iterator[BoardTerms]:
    """The present boards, in the order of the scales."""
    in_force = ruling.rules_in_force(session)
    order = list(SCALES)
    for board in sorted(opening.boards(session), key=lambda one: order.index(one.scale)):
        if board.suite_sha256 == opening.suite_sha256(board.scale):
            ruled = in_force.get(board.id)
            yield BoardTerms(
                scale=board.scale,
                track=board.track,
                href=_href(board),
                rule=ruled.rule if ruled else OFFICIAL.id,
                since=ruled.created_at if ruled else None,
                opens_at=board.opens_at,
                closes_at=board.closes_at,
                submissions=board.submissions_per_team,
                compute_seconds=board.compute_seconds_per_team,
            )


def _href(board: Board) -> str:
    return f"/b/{board.scale}" + ("?track=byod" if board.track == "byod" else "")
