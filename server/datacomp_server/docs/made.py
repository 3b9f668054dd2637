"""The pages of the documentation with their tables; only that of the rules asks the database."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from sqlalchemy.orm import Session

from datacomp_leaderboard.docs import tables
from datacomp_leaderboard.docs.api import ApiPage, api_page
from datacomp_leaderboard.docs.index import docs_page
from datacomp_leaderboard.docs.methods import methods_page
from datacomp_leaderboard.docs.rules import BoardTerms, JobCost, rules_page
from datacomp_leaderboard.docs.submit import submit_page
from datacomp_leaderboard.rules import OFFICIAL
from datacomp_leaderboard.scales import SCALES
from datacomp_server.boards import opening, ruling
from datacomp_server.boards.data import Source
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.boards.models import Board

JSON_URL = "/api/v1/openapi.json"


def docs(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """What there is to read."""
    only(query)
    return Made(docs_page())


def rules(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """What ranks, levels and budgets follow from, as it is in force now."""
    only(query)
    costs = (
        JobCost(scale, filter=cost.filter, train=cost.train, evaluate=cost.evaluate)
        for scale, cost in source.settings.job_costs.items()
    )
    page = rules_page(_terms(source.session), costs)
    return Made(page, lambda: tables.of_rules(page))


def methods(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """Every method that comes with the software."""
    only(query)
    page = methods_page()
    return Made(page, lambda: tables.of_methods(page))


def submit(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """How to hand in, and why something is refused."""
    only(query)
    page = submit_page()
    return Made(page, lambda: tables.of_codes(page))


def api(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The reference of the API."""
    only(query)
    page = _api_page()
    return Made(page, lambda: tables.of_api(page))


@cache
def _api_page() -> ApiPage:
    """From the committed description, which clients are made from: no application is needed."""
    text = (resources.files("datacomp.client") / "openapi.json").read_text()
    document: dict[str, Any] = json.loads(text)
    return api_page(document, JSON_URL)


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
