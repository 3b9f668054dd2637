"""What jobs cost: worker seconds that a team is charged, by scale; an organiser can set them."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from datacomp.errors import UnknownNameError

_HOUR = 3600
_PICTURES_PER_SECOND = 50
_Seconds = Annotated[int, Field(ge=1)]


class Cost(BaseModel):
    """Seconds that a job of each kind costs at a scale; a filter may not run longer than its own.

    It is also what is forecast until five jobs of a class and kind have succeeded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: _Seconds
    train: _Seconds
    evaluate: _Seconds


Costs = Mapping[str, Cost]

COSTS: Costs = {
    "smoke": Cost(filter=300, train=60, evaluate=60),
    "tiny": Cost(filter=600, train=300, evaluate=120),
    "small": Cost(filter=4 * _HOUR, train=4 * _HOUR, evaluate=_HOUR),
    "medium": Cost(filter=8 * _HOUR, train=40 * _HOUR, evaluate=_HOUR),
    "large": Cost(filter=24 * _HOUR, train=960 * _HOUR, evaluate=2 * _HOUR),
    "xlarge": Cost(filter=48 * _HOUR, train=81920 * _HOUR, evaluate=4 * _HOUR),
}
"""The defaults."""


def download_seconds(rows: int) -> int:
    """What fetching the pictures of so many addresses costs, on top of the training."""
    return math.ceil(rows / _PICTURES_PER_SECOND)


def costs_with(changes: Mapping[str, Mapping[str, Any] | Cost]) -> dict[str, Any]:
    """The defaults but for `changes`, by scale and kind; `UnknownNameError` for another scale."""
    for scale, change in changes.items():
        if scale not in COSTS:
            raise UnknownNameError("scale", scale, COSTS)
        if not isinstance(change, Mapping | Cost):
            raise ValueError(f"expected seconds by kind of job for {scale!r}, got {change!r}")
    return {
        scale: cost.model_dump() | dict(changes.get(scale, {})) for scale, cost in COSTS.items()
    }
