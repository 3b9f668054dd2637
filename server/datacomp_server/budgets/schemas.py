"""What goes out over the API of budgets."""

from pydantic import BaseModel


class BudgetOut(BaseModel):
    """What a team has of one unit on one board."""

    board: str
    track: str
    scale: str
    unit: str
    granted: int
    left: int
    granted_in_words: str
    left_in_words: str


class BudgetsOut(BaseModel):
    """All of a team's budgets, of the boards that it has used."""

    team: str
    budgets: list[BudgetOut]
