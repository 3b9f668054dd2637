"""Routes of budgets, workers, rules and audits, for organisers who are signed in."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from datacomp.errors import DatacompError
from datacomp_leaderboard.account_pages import SecretPage
from datacomp_server.boards import ruling
from datacomp_server.budgets import service as budgets
from datacomp_server.context import Context
from datacomp_server.identity import repository as identity
from datacomp_server.identity import service as tokens
from datacomp_server.identity.own_tokens import MAX_DAYS
from datacomp_server.identity.pages import ContextDep, Text, private
from datacomp_server.identity.tokens import Scope
from datacomp_server.identity.visitors import Organising
from datacomp_server.kit.errors import NotFound, Refused, ServerError
from datacomp_server.organising import views
from datacomp_server.verification import audits, seeds
from datacomp_server.verification.draw import new_seed

router = APIRouter(prefix="/organise", include_in_schema=False, default_response_class=HTMLResponse)

_BUDGETS, _WORKERS = "/organise/budgets", "/organise/workers"
_RULES, _AUDITS = "/organise/rules", "/organise/audits"
_TOKEN_HINTS = (
    "On the machine that is to work: DATACOMP_TOKEN, then datacomp worker.",
    "Several workers may use one token; each has a name of its own.",
    "Revoked, the token is good for none of them.",
)
Whole = Annotated[int, Form(ge=0, le=10**6)]
Hours = Annotated[float, Form(ge=0, le=10**7, allow_inf_nan=False)]
BoardId = Annotated[str, Form(max_length=26)]


@router.get("/budgets")
def all_budgets(context: ContextDep, person: Organising) -> Response:
    """What teams have left."""
    with context.database.reading() as session:
        return private(views.budgets_page(session))


@router.post("/budgets")
def grant_budget(
    context: ContextDep,
    person: Organising,
    team: Text = "",
    board: BoardId = "",
    submissions: Whole = 0,
    hours: Hours = 0,
) -> Response:
    """Grant a team more."""
    amounts = {"submissions": submissions, "compute_seconds": round(3600 * hours)}
    try:
        if not any(amounts.values()):
            raise Refused("nothing to grant: give submissions or hours", code="nothing_granted")
        with context.database.writing() as session:
            found, moment = views.board_of(session, board), context.clock()
            budgets.grant(session, team, found, amounts, by=person.office, moment=moment)
    except ServerError as error:
        with context.database.reading() as session:
            return private(views.budgets_page(session, error=error.detail), error)
    return RedirectResponse(_BUDGETS, 303)


@router.get("/workers")
def all_workers(context: ContextDep, person: Organising) -> Response:
    """The machines that work, and their tokens."""
    return _workers(context)


@router.post("/workers/tokens")
def make_worker_token(
    context: ContextDep,
    person: Organising,
    name: Text = "",
    days: Annotated[int, Form(ge=1, le=MAX_DAYS)] = 90,
) -> Response:
    """Make a token for machines, and show it this once."""
    lifetime = timedelta(days=days)
    try:
        with context.database.writing() as session:
            moment = context.clock()
            secret = tokens.create_worker_token(session, name, moment=moment, lifetime=lifetime)
    except ServerError as error:
        return _workers(context, error)
    page = SecretPage("A new worker's token", secret, _TOKEN_HINTS, _WORKERS, "Back to the workers")
    return private(page)


@router.post("/workers/tokens/{token_id}/revoke")
def revoke_worker_token(context: ContextDep, person: Organising, token_id: str) -> Response:
    """End a machine's token for good."""
    try:
        with context.database.writing() as session:
            found = identity.token_by_id(session, token_id)
            if found is None or found.scopes.split() != [Scope.WORK.value]:
                raise NotFound("there is no such token of a worker")
            tokens.end_token(session, found, by=person.office, moment=context.clock())
    except ServerError as error:
        return _workers(context, error)
    return RedirectResponse(_WORKERS, 303)


@router.get("/rules")
def board_rules(
    context: ContextDep, person: Organising, board: str | None = None, rule: str | None = None
) -> Response:
    """Which rule each board ranks by; with a board and a rule, what that would move."""
    with context.database.reading() as session:
        return private(views.rules_page(session, board, rule))


@router.post("/rules")
def put_rule_in_force(
    context: ContextDep,
    person: Organising,
    board: BoardId = "",
    rule: Text = "",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Rank a board by another rule from now on."""
    try:
        if not confirmed:
            raise Refused("tick that everybody will see this change", code="not_confirmed")
        with context.database.writing() as session:
            found, moment = views.board_of(session, board), context.clock()
            try:
                ruling.put_in_force(session, found, rule, by=person.office, moment=moment)
            except DatacompError as wrong:
                raise Refused(str(wrong), code="rule_refused") from wrong
    except ServerError as error:
        with context.database.reading() as session:
            return private(views.rules_page(session, None, None, error=error.detail), error)
    return RedirectResponse(_RULES, 303)


@router.get("/audits")
def all_audits(context: ContextDep, person: Organising) -> Response:
    """Random audits."""
    return _audits(context)


@router.post("/audits")
def commit_audit(
    context: ContextDep,
    person: Organising,
    board: BoardId = "",
    percent: Annotated[float, Form(ge=0, le=100, allow_inf_nan=False)] = 10,
) -> Response:
    """Publish the hash of a new seed, which stays in the service's folder."""
    seed = new_seed()
    try:
        with context.database.writing() as session:
            found, facts = views.board_of(session, board), {"share": percent / 100}
            by, moment = person.office, context.clock()
            made = audits.commit(session, found, seed=seed, by=by, moment=moment, **facts)
            seeds.keep(context.settings, made.id, seed)
    except ServerError as error:
        return _audits(context, error)
    return RedirectResponse(_AUDITS, 303)


@router.post("/audits/{round_id}/draw")
def draw_audit(context: ContextDep, person: Organising, round_id: str) -> Response:
    """Publish the seed, and choose."""
    try:
        with context.database.writing() as session:
            audits.known(session, round_id)
            seed = seeds.kept(context.settings, round_id)
            if seed is None:
                raise NotFound(
                    "the seed is not in this service's folder: datacomp admin audit draw"
                )
            audits.draw_round(
                session, round_id, seed=seed, by=person.office, moment=context.clock()
            )
    except ServerError as error:
        return _audits(context, error)
    return RedirectResponse(_AUDITS, 303)


@router.post("/audits/{round_id}/verify")
def verify_audit(context: ContextDep, person: Organising, round_id: str) -> Response:
    """Plan the verification of everyone that a round chose, and say what became of each."""
    try:
        with context.database.writing() as session:
            costs, moment = context.settings.job_costs, context.clock()
            became = audits.verify_chosen(session, round_id, person.office, costs, moment=moment)
    except ServerError as error:
        return _audits(context, error)
    return _audits(context, became=became)


def _workers(context: Context, refused: ServerError | None = None) -> Response:
    with context.database.reading() as session:
        error = refused.detail if refused else None
        return private(views.workers_page(session, moment=context.clock(), error=error), refused)


def _audits(
    context: Context,
    refused: ServerError | None = None,
    became: list[tuple[str, str]] | None = None,
) -> Response:
    with context.database.reading() as session:
        error = refused.detail if refused else None
        page = views.audits_page(session, context.settings, error=error, became=became)
    return private(page, refused)
