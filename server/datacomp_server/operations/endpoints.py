"""Routes for those who watch the service."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from datacomp import __version__

router = APIRouter(tags=["operations"])


class HealthOut(BaseModel):
    """Whether the service can do its work."""

    ok: bool
    version: str
    problems: dict[str, str] = Field(
        description="What is wrong, by part: database, artifacts, disk."
    )


@router.get("/healthz", include_in_schema=False)
def get_health(request: Request, response: Response) -> HealthOut:
    """Ask database, artifact store and disk whether they can be worked with."""
    problems = request.app.state.health.problems()
    response.status_code = 503 if problems else 200
    return HealthOut(ok=not problems, version=__version__, problems=problems)


@router.get("/metrics", include_in_schema=False)
def get_metrics(request: Request) -> Response:
    """Numbers for Prometheus."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
