"""What uniform guessing scores on the very pictures of a task: its mean, and its spread.

The spread is the task's noise floor: a difference of that size is what the number of pictures alone
makes of nothing. A suite states both where they follow from the number of classes or candidates.
Where they depend on how many pictures each class or group has, they are computed from outcomes,
which know that: in closed form, or for macro F1 and the worst of groups by simulation.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datacomp.evaluation import metrics
from datacomp.evaluation.outcomes import Outcomes, widened
from datacomp.evaluation.paired import seed_of
from datacomp.evaluation.ranking import of_size
from datacomp.reports import Grouping, Suite, TaskSpec

ROUNDS = 400

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Floor:
    """Uniform guessing's main metric: expected value, one standard deviation; None if unknown.

    Of a mean of tasks, `n_known` says how many have a noise floor; `noise` then is that of all
    tasks as if the others had none, so that it is too small unless `n_known` is all of them.
    """

    chance: float | None
    noise: float | None
    n_known: int = 1


def floor_of(spec: TaskSpec, outcomes: Outcomes | None) -> Floor:
    """What the suite states, else what follows from the outcomes, else nothing."""
    chance, noise = spec.chance.get(spec.main_metric or ""), spec.noise
    if outcomes is not None and (chance is None or noise is None):
        mean, sd = guessed(spec, outcomes)
        chance, noise = mean if chance is None else chance, sd if noise is None else noise
    return Floor(chance, noise, int(noise is not None))


def mean_floor(suite: Suite, floors: Mapping[str, Floor], group: str | None = None) -> Floor:
    """The floor of a group's mean, or of the average; takes the tasks as independent."""
    members = [t.key for t in suite.scored if group is None or group in t.groups]
    chances = [floors[key].chance for key in members]
    known = [noise for key in members if (noise := floors[key].noise) is not None]
    levels = [level for level in chances if level is not None]
    return Floor(
        chance=math.fsum(levels) / len(members) if len(levels) == len(members) else None,
        noise=math.sqrt(math.fsum(sd * sd for sd in known)) / len(members) if known else None,
        n_known=len(known),
    )


def guessed(spec: TaskSpec, outcomes: Outcomes) -> tuple[float | None, float | None]:
    """Mean and standard deviation of the main metric of uniform guesses; None if undefined."""
    found, name = widened(outcomes), spec.main_metric or ""
    if spec.kind == "retrieval":
        return _retrieval(name, found)
    if spec.kind == "association":
        chosen = of_size(name, found["candidates"])
        return _association(found["candidates"][chosen], found["picks"][chosen])
    n_classes = spec.n_classes or 0
    for grouping in spec.groupings:
        if name in grouping.minima:
            groups = found["metadata"][:, spec.metadata.index(grouping.field)]
            return _worst(spec, grouping, groups[groups < grouping.minima[name]])
    if name == "F1-macro_all":
        return _macro_f1(spec, found["targets"])
    sizes = np.bincount(found["targets"]) if "targets" in found else np.zeros(0)
    if name in ("mean_per_class_recall", "recall-macro_all"):
        present, p = sizes[sizes > 0], 1 / n_classes
        return p, math.sqrt(p * (1 - p) * float((1 / present).sum())) / len(present)
    top = {"acc1": 1, "acc_avg": 1, "acc5": 5, "acc_top5_avg": 5}.get(name)
    if top is None:
        return None, None
    p = top / n_classes
    return p, math.sqrt(p * (1 - p) / float(sizes.sum()))


def _worst(spec: TaskSpec, grouping: Grouping, groups: IntArray) -> tuple[float, float]:
    sizes = np.bincount(groups)
    p = grouping.top / (spec.n_classes or 1)
    hits = np.random.default_rng(seed_of(spec.key)).binomial(sizes, p, (10_000, len(sizes)))
    return _moments(metrics.lowest(hits, sizes[None]))


def _macro_f1(spec: TaskSpec, targets: IntArray) -> tuple[float, float]:
    rng, n = np.random.default_rng(seed_of(spec.key)), spec.n_classes or 1
    sizes = np.bincount(targets, minlength=n)
    scores = []
    for _ in range(ROUNDS):
        predicted = rng.integers(0, n, len(targets))
        hits = np.bincount(targets[predicted == targets], minlength=n)
        guesses = np.bincount(predicted, minlength=n)
        scores.append(metrics.f1_over_present(sizes[None], guesses[None], hits[None])[0])
    return _moments(scores)


def _retrieval(name: str, found: Outcomes) -> tuple[float, float]:
    """Hits at k of random orders; the two ways are independent, and so are the queries."""
    way, k = name.split("_")[0], int(name.split("@")[1])
    n, m = len(found["image_ranks"]), len(found["image_of_text"])
    per_image = np.bincount(found["image_of_text"], minlength=n).tolist()
    p = min(1.0, k / n)
    missed = np.array([math.comb(m - c, k) / math.comb(m, k) for c in per_image])
    image_way = p, math.sqrt(p * (1 - p) / m)
    text_way = 1 - float(missed.mean()), math.sqrt(float((missed * (1 - missed)).sum())) / n
    if way != "mean":
        return image_way if way == "image" else text_way
    return (image_way[0] + text_way[0]) / 2, math.hypot(image_way[1], text_way[1]) / 2


def _association(candidates: IntArray, picks: IntArray) -> tuple[float, float]:
    moments = np.array([_jaccard(n, k) for n, k in zip(candidates, picks, strict=True)])
    variance = moments[:, 1] - moments[:, 0] ** 2
    return float(moments[:, 0].mean()), math.sqrt(float(variance.sum())) / len(moments)


def _jaccard(n: int, k: int) -> tuple[float, float]:
    """First two moments of the Jaccard index of a random k-subset of n with a given one."""
    total = math.comb(int(n), int(k))
    index = np.arange(k + 1) / (2 * k - np.arange(k + 1))
    hits = [math.comb(int(k), i) * math.comb(int(n - k), int(k) - i) for i in range(int(k) + 1)]
    shares = np.array(hits) / total
    return float(shares @ index), float(shares @ index**2)


def _moments(values: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1))
