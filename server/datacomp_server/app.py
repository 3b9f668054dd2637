"""The application: features plugged together, errors in one shape, headers on everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from datacomp import __version__
from datacomp_leaderboard.render import STATIC
from datacomp_server.artifacts import endpoints as uploads
from datacomp_server.audit import endpoints as events
from datacomp_server.boards import endpoints as boards
from datacomp_server.boards.ready import ReadyPages
from datacomp_server.budgets import endpoints as budgets
from datacomp_server.context import Context
from datacomp_server.identity import account_pages, provider_pages, team_pages
from datacomp_server.identity import endpoints as identity
from datacomp_server.identity import pages as doors
from datacomp_server.jobs import endpoints as jobs
from datacomp_server.jobs import worker_endpoints
from datacomp_server.jobs.runner import Runner
from datacomp_server.kit import responses
from datacomp_server.kit.csrf import SameOrigin
from datacomp_server.kit.errors import ErrorOut, ServerError
from datacomp_server.kit.limits import Rate
from datacomp_server.kit.middleware import AddressLimit, BodyLimit, PlainAddress, SecurityHeaders
from datacomp_server.kit.recent import Recent
from datacomp_server.kit.strict_json import StrictJson
from datacomp_server.mine import pages as mine
from datacomp_server.operations import endpoints as operations
from datacomp_server.operations.health import Health
from datacomp_server.operations.metrics import Metrics
from datacomp_server.operations.watching import Watching
from datacomp_server.organising import office
from datacomp_server.organising import pages as organising
from datacomp_server.submissions import endpoints as submissions
from datacomp_server.verification import endpoints as verification

_STATIC_SECONDS = 365 * 24 * 3600


def create_app(context: Context) -> FastAPI:
    """The application of an open context; closes the context's database at its end."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        runner = Runner(context)
        if context.settings.run_jobs:
            runner.start()
        yield
        if context.settings.run_jobs:
            runner.stop()
        context.close()

    app = FastAPI(
        title="DataComp service",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the ready-made viewers load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        routes=_routes(),
    )
    app.state.context = context
    app.state.metrics = Metrics(context)
    app.state.queue = Recent(
        partial(jobs.queue_json, context), seconds=context.settings.board_seconds
    )
    app.state.health = Health(context)
    app.mount("/static", _Static(directory=STATIC), name="static")
    app.add_exception_handler(ServerError, responses.handle_server_error)
    app.add_exception_handler(HTTPException, responses.handle_http_exception)
    app.add_exception_handler(RequestValidationError, responses.handle_invalid_request)
    _add_middleware(app, context)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Every feature's routes; made once, since they are the same in each application."""
    every = APIRouter(
        # clients call operations by the names of their functions, which therefore differ
        generate_unique_id_function=lambda route: route.name,
        responses={
            400: {"model": ErrorOut, "description": "The request cannot be read"},
            429: {"model": ErrorOut, "description": "Too many requests"},
        },
    )
    every.include_router(identity.router)
    every.include_router(submissions.router)
    every.include_router(verification.router)
    every.include_router(uploads.router)
    every.include_router(boards.router)
    every.include_router(budgets.router)
    every.include_router(events.router)
    every.include_router(jobs.router)
    every.include_router(doors.router)
    every.include_router(provider_pages.router)
    every.include_router(account_pages.router)
    every.include_router(team_pages.router)
    every.include_router(worker_endpoints.router)
    every.include_router(mine.router)
    every.include_router(organising.router)
    every.include_router(office.router)
    every.include_router(operations.router)
    return every.routes


def _add_middleware(app: FastAPI, context: Context) -> None:
    """From the innermost to the outermost."""
    settings = context.settings
    rate = Rate(settings.address_requests_per_minute, 60)
    app.add_middleware(StrictJson)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, streams=uploads.STREAMS)
    app.add_middleware(SameOrigin, public_url=settings.public_url)
    app.add_middleware(PlainAddress)
    app.add_middleware(ReadyPages, snapshots=context.snapshots)
    app.add_middleware(AddressLimit, limiter=context.limiter, rate=rate)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Watching, metrics=app.state.metrics)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)


class _Static(StaticFiles):
    """Static files, whose addresses carry a hash of their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = f"public, max-age={_STATIC_SECONDS}, immutable"
        return response
