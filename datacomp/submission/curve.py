"""The curve of a profile, from the log of a run."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median_low
from typing import Any

from datacomp.submission.profile import MAX_POINTS, Curve

_KEYS = ("samples", "loss", "logit_scale")


def curve_of(lines: Sequence[Mapping[str, Any]]) -> Curve | None:
    """The lines of `metrics.jsonl`, thinned evenly, first and last kept; None if none is whole."""
    points = [
        [float(line[key]) for key in _KEYS]
        for line in lines
        if all(_is_number(line.get(key)) for key in _KEYS)
    ]
    if not points:
        return None
    n = min(len(points), MAX_POINTS)
    chosen = [points[round(i * (len(points) - 1) / max(n - 1, 1))] for i in range(n)]
    samples, loss, scale = zip(*chosen, strict=True)
    speeds = list(_speeds(lines))
    return Curve(
        samples=tuple(map(int, samples)),
        loss=tuple(map(_short, loss)),
        logit_scale=tuple(map(_short, scale)),
        images_per_second=_short(median_low(speeds)) if speeds else None,
    )


def _speeds(lines: Sequence[Mapping[str, Any]]) -> Iterator[float]:
    for line in lines:
        speed = line.get("images_per_second")
        if _is_number(speed) and speed is not None and speed > 0:
            yield float(speed)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
