"""Do a worker's numbers agree with those that were reported? Pure; every tolerance says why.

**The same weights** are compared task by task. The test pictures are the same and so is the
arithmetic, but for its last digits: another device or library flips the answer to a picture only
where two classes are nearly tied. Sampling noise has no part in it, so standard errors would allow
far too much. Allowed are `FLIPPED_SHARE` of the pictures and `FLIPPED_ITEMS` more. What one flip is
worth follows from the metric's standard error: of a share p of n pictures that is
sqrt(p (1 - p) / n), so that a metric with a larger one (the worst of groups, recall per class)
counts as a share of fewer pictures.

**Another training** is compared by its average alone: a single task moves with the training seed
by far more than its test noise says, and nobody knows by how much. Allowed are `SIGMAS` standard
errors of the difference, which joins both test noises with `TRAINING_SD` for each of the two runs.
"""

import math
from dataclasses import dataclass

from datacomp.reports import Metric, Report, Suite

FLIPPED_SHARE = 0.005
FLIPPED_ITEMS = 2
SIGMAS = 4.0
# Standard deviation of an average over training seeds: 0.005 to 0.013 at the tiny scale, as
# measured with five seeds of two methods; larger scales vary less.
TRAINING_SD = 0.01


@dataclass(frozen=True)
class Difference:
    """A number that differs by more than is allowed; `task` is None for the average."""

    task: str | None
    reported: float | None
    measured: float | None
    allowed: float

    def as_json(self) -> dict[str, str | float | None]:
        """As evidence keeps it."""
        return {
            "task": self.task,
            "reported": self.reported,
            "measured": self.measured,
            "allowed": round(self.allowed, 6),
        }


@dataclass(frozen=True)
class Comparison:
    """What came of comparing: `largest` is the largest |difference| in units of what is allowed."""

    basis: str
    n_compared: int
    largest: float
    beyond: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs by more than is allowed."""
        return not self.beyond


def compare_same_weights(reported: Report, measured: Report, suite: Suite) -> Comparison:
    """Compare two evaluations of one checkpoint by the main metric of every scored task."""
    beyond, ratios = [], []
    for spec in suite.scored:
        there, here = _main(reported, spec.key), _main(measured, spec.key)
        allowed = _flips(here, spec.n) if here else 0.0
        if there is None or here is None or there.value is None or here.value is None:
            values = (there.value if there else None, here.value if here else None)
            beyond.append(Difference(spec.key, *values, allowed))
            continue
        ratios.append(abs(there.value - here.value) / allowed)
        if ratios[-1] > 1:
            beyond.append(Difference(spec.key, there.value, here.value, allowed))
    return Comparison("same weights", len(suite.scored), max(ratios, default=0.0), tuple(beyond))


def compare_trainings(reported: Report, measured: Report) -> Comparison:
    """Compare two trainings on one subset by their averages."""
    there, here = reported.aggregates.average, measured.aggregates.average
    noise = math.hypot(there.stderr or 0.0, here.stderr or 0.0, TRAINING_SD, TRAINING_SD)
    allowed = SIGMAS * noise
    if there.value is None or here.value is None:
        return Comparison(
            "another training", 1, 0.0, (Difference(None, there.value, here.value, allowed),)
        )
    ratio = abs(there.value - here.value) / allowed
    beyond = (Difference(None, there.value, here.value, allowed),) if ratio > 1 else ()
    return Comparison("another training", 1, ratio, beyond)


def _main(report: Report, key: str) -> Metric | None:
    result = report.tasks.get(key)
    return result.main if result is not None else None


def _flips(measured: Metric, n: int) -> float:
    """How far the measured value may be off, from what a single flipped answer is worth."""
    value, stderr = measured.value or 0.0, measured.stderr or 0.0
    spread = value * (1 - value)
    items = spread / stderr**2 if stderr > 0 and spread > 0 else float(n)
    return FLIPPED_SHARE + FLIPPED_ITEMS / min(max(items, 1.0), n)
