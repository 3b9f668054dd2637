"""Routes of budgets."""

from typing import Annotated

from fastapi import APIRouter, Depends

from datacomp_server.budgets import service
from datacomp_server.budgets.schemas import BudgetsOut
from datacomp_server.context import Context, get_context
from datacomp_server.kit.errors import ErrorOut

router = APIRouter(prefix="/api/v1", tags=["budgets"])


@router.get("/budgets", responses={404: {"model": ErrorOut}, 422: {"model": ErrorOut}})
def get_budgets(context: Annotated[Context, Depends(get_context)], team: str) -> BudgetsOut:
    """What a team has left, of each board that it has used."""
    with context.database.reading() as session:
        return service.of_team(session, team)
