"""Mix score columns with the weights that make a labelled task easier: FLYT over others' scores.

M-FLYT (arXiv 2503.08805): the scoring model of FLYT (filter `flyt`) is one linear layer over scores
that other methods computed; its weights are trained as FLYT's head is. Kept is the top 20% by the
mixed score.

Departures. Those of `flyt`, and: scores are standardised here, with mean and deviation over the
whole pool that belong to the model, a missing score counts as the mean, and what lies further out
than 6 deviations as 6 (the original feeds its columns raw, which by its weights seem to have been
standardised before). The weights start at zero, so that the first step is plain CLIP training and
a useless score stays near zero; the original starts at random, where a useless score largely keeps
its first weight. A score that is not finite, in float32, counts as missing.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import UsageError, require
from datacomp.filtering import Bench, Filter, Fit, PartView, Selection, View, runtime_field
from datacomp.filtering.contract import PoolStep, Step
from datacomp.filtering.scores import Expression, Fuse, PoolColumn, Produced
from datacomp.filtering.selectors import TopFraction
from datacomp.filtering.spec import distinct, identity
from datacomp.filtering.tree import describe, expression
from datacomp.subset.cuts import Scores
from datacomp_filters.flyt.fit import Arrays, read_all, tensors, train
from datacomp_filters.flyt.options import OnEmbeddings, Trained

SCORE = "mflyt_score"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Mixed(Trained):
    """A base of what reads M-FLYT's scores: names of pool columns, separated by commas, or a tuple
    of score expressions as in selection files.
    """

    scores: str | tuple[Any, ...] = runtime_field(default=())

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.scores
        if isinstance(given, str):
            given = tuple(name.strip() for name in given.split(",") if name.strip())
        made = tuple(expression(tree, {}, f"scores[{n}]") for n, tree in enumerate(given))
        trees = tuple(one.to_tree() for one in made)
        if len(trees) < 2:
            raise UsageError(
                "scores names two columns or more, separated by commas, or is a list of score "
                f"expressions in a selection file; got {self.scores!r}"
            )
        if double := [tree for tree in trees if trees.count(tree) > 1]:
            raise UsageError(f"scores names {double[0]} twice")
        object.__setattr__(self, "scores", trees)

    def mixed(self) -> dict[str, Any]:
        """These parameters, for another that shares them."""
        return {**self.trained(), "scores": self.scores}

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        """The scores."""
        return tuple(expression(tree, {}, "scores") for tree in self.scores)

    def names(self) -> list[str]:
        """What each score is called, with a number where that is not its alone."""
        names = [str(one) for one in self.expressions]
        return [
            f"{name} {names[: place + 1].count(name)}" if names.count(name) > 1 else name
            for place, name in enumerate(names)
        ]

    def columns(self) -> tuple[str, ...]:
        """The pool's columns among the scores."""
        return tuple(dict.fromkeys(name for one in self.expressions for name in one.columns()))

    def inputs(self) -> tuple[Step, ...]:
        """The steps that compute the others."""
        return distinct(tuple(step for one in self.expressions for step in one.steps()))

    def open_scores(self, view: View) -> list[Callable[[PartView], Scores]]:
        """What reads each score of a part, in float32, NaN where it is missing or not finite."""
        return [partial(_finite, one.open(view)) for one in self.expressions]


@dataclass(frozen=True, kw_only=True)
class _Formed(Mixed):
    """What a tree of scores names (a path, say) does not decide: `form` tells what it reads."""

    # An expression says which step's column it means.
    _finds_by_name = False

    form: str = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "form", json.dumps([self._form(one) for one in self.expressions]))

    def _form(self, one: Expression) -> Any:
        match one:
            case PoolColumn(name):
                return name
            case Produced(_, step, column):
                steps = [identity(own) for own in self.inputs()]
                return {"input": steps.index(identity(step)), "column": column}
            case Fuse(how, of):
                return {how: [[weight, self._form(part)] for weight, part in of]}
        raise UsageError(f"scores cannot hold {one}")


@dataclass(frozen=True, kw_only=True)
class MixFit(_Formed, OnEmbeddings, Fit):
    """The mixer: `score` (names), `weight`, `mean`, `std`, `missing` (share of rows), and `bias`.

    `mean` and `std` (float32) are those of the finite scores of the whole pool.
    """

    name = "mflyt"
    cost = "minutes on a GPU, at the paper's batches"

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Learn the standardiser, then the weights; or go on where a training was stopped."""
        torch = require("torch", "train")
        from datacomp_filters.flyt.heads import LinearMixer

        reads = self.open_scores(view)
        moments = [_moments(read(rows) for rows in view.parts()) for read in reads]
        mean, std, scored = (np.array(column) for column in zip(*moments, strict=True))
        mean, std = mean.astype(np.float32), std.astype(np.float32)
        mixer = LinearMixer(torch.from_numpy(mean), torch.from_numpy(std))
        trained = train(self, read_all(self, view, bench, reads), mixer, bench)
        weight = trained["weight"][0]
        names = self.names()
        shown = sorted(zip(weight.tolist(), names, strict=True), reverse=True)
        bench.tell("weights: " + ", ".join(f"{value:+.2f} {name}" for value, name in shown))
        return {
            "score": np.array(names),
            "weight": weight,
            "mean": mean,
            "std": std,
            "missing": (1 - scored / max(view.n_rows, 1)).astype(np.float32),
            "bias": trained["bias"],
        }


@dataclass(frozen=True, kw_only=True)
class MFlytScore(_Formed, PoolStep):
    """The mixed score (float32) of every row; no row is without one."""

    name = "mflyt_score"
    rows_per_second = 2_000_000.0

    def assets(self) -> tuple[()]:
        """None: what the fit was made with is in the fit's key."""
        return ()

    def fits(self) -> tuple[MixFit, ...]:
        """The training."""
        return (MixFit(**self.mixed()),)

    def outputs(self) -> pa.Schema:
        """The score."""
        return pa.schema([(SCORE, pa.float32())])

    def compute(self, view: View, bench: Bench) -> Iterator[pa.RecordBatch]:
        """Standardise with the fit's constants, and add."""
        torch = require("torch", "train")
        from datacomp_filters.flyt.heads import LinearMixer

        (fit,) = self.fits()
        arrays = bench.arrays(fit)
        held = tensors(arrays, "cpu")
        mixer = LinearMixer(held["mean"], held["std"])
        parameters = {"weight": held["weight"][None], "bias": held["bias"]}
        reads = self.open_scores(view)
        for rows in view.parts():
            matrix = np.stack([read(rows) for read in reads], 1)
            with torch.inference_mode():
                scores = mixer.scores(parameters, torch.from_numpy(matrix)).numpy()
            yield pa.record_batch([pa.array(scores)], names=[SCORE])


@dataclass(frozen=True, kw_only=True)
class MFlyt(Mixed, Filter):
    """The highest `fraction` of the mixed score; the other parameters are the training's."""

    name = "mflyt"
    summary = "Keep the top fraction of a mix of scores that learned what a labelled task needs."
    reference = "arXiv 2503.08805"
    example = "scores=clip_b32_similarity_score,clip_l14_similarity_score downstream=pools/trusted"
    uses_eval_related_data = "train"

    fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")

    def columns(self) -> tuple[str, ...]:
        """None: the score's step reads them."""
        return ()

    def steps(self) -> tuple[MFlytScore, ...]:
        """The score."""
        return (MFlytScore(**self.mixed()),)

    def params(self) -> Any:
        """As typed; `form` follows from the scores."""
        return {**self.mixed(), "scores": list(self.scores), "fraction": self.fraction}

    def score(self) -> Expression:
        """The mixed score."""
        return Produced(describe(self), self.steps()[0], SCORE)

    def rules(self) -> tuple[str, ...]:
        """Scores, training and cut."""
        listed = "; ".join(self.names())
        return (
            f"Mixes {len(self.scores)} scores, standardised over the pool, missing as the mean, "
            f"clipped at 6 deviations: {listed}.",
            *self.training_rules(),
            *self._selector().rules(),
        )

    def select(self, view: View) -> Iterable[Selection]:
        """Cut."""
        selector = self._selector()
        return selector.select(view.of(selector))

    def _selector(self) -> TopFraction:
        return TopFraction(column=self.score(), fraction=self.fraction)


def _finite(read: Callable[[PartView], Scores], rows: PartView) -> Scores:
    with np.errstate(over="ignore"):
        scores = read(rows).astype(np.float32)
    scores[~np.isfinite(scores)] = np.nan
    return scores


def _moments(parts: Iterable[Scores]) -> tuple[float, float, int]:
    """Mean, deviation and number of the finite scores; 0, 0, 0 without any."""
    # Chan, Golub and LeVeque (1979): sums of squares merged part by part do not cancel.
    n, mean, squares = 0, 0.0, 0.0
    for part in parts:
        scores = part.astype(np.float64)
        scores = scores[np.isfinite(scores)]
        if len(scores):
            delta, joined = float(scores.mean()) - mean, n + len(scores)
            squares += float(scores.var()) * len(scores) + delta**2 * n * len(scores) / joined
            mean, n = mean + delta * len(scores) / joined, joined
    return mean, (squares / n) ** 0.5 if n else 0.0, n
