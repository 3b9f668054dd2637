"""Whether two answers are the same, and where they first differ."""

import math
from collections.abc import Collection, Sequence
from typing import Any
from unittest import SkipTest

import pyarrow as pa

from datacomp.filtering.conformance.kit import Broken
from datacomp.filtering.conformance.subject import Ran, Subject
from datacomp.filtering.conformance.toy_rows import ToyRows
from datacomp.filtering.contract import ImageStep, RowStep, Step

_SHOWN = 60


def tolerance(step: Step) -> float:
    """How far the step's floats may move when rows are batched otherwise, as it declares."""
    return step.tolerance


def same(one: Any, other: Any, within: float) -> bool:
    """Equal; NaN equals NaN, and floats may differ by `within`, relative to those above 1."""
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other or abs(one - other) <= within * max(1.0, abs(one))
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same(a, b, within) for a, b in pairs)
    return bool(one == other) and type(one) is type(other)


def first_difference(one: Sequence[Any], other: Sequence[Any], within: float) -> int | None:
    """The first place where two columns differ; they are of one length."""
    for place, (a, b) in enumerate(zip(one, other, strict=True)):
        if not same(a, b, within):
            return place
    return None


def answer(subject: Subject, step: RowStep | ImageStep, rows: ToyRows) -> pa.RecordBatch:
    """What a step answers for a batch; `Broken` unless it is what it declares."""
    made, declared = subject.computed(step, rows), step.outputs()
    came = type(made).__name__
    if isinstance(made, pa.RecordBatch):
        if made.num_rows == rows.n and made.schema.equals(declared):
            return made
        came = f"{made.num_rows} rows of {_fields(made.schema)}"
    raise Broken(
        f"a RecordBatch with {rows.n} rows of {_fields(declared)} from step {step.name!r}",
        came,
        "Return pa.record_batch(..., schema=self.outputs()), a value or null for every row.",
    )


def demand_same_values(
    one: Ran,
    other: Ran,
    steps: Sequence[Step],
    how: str,
    mend: str,
    uids: Collection[str] | None = None,
) -> None:
    """`Broken` unless the second run stored what the first did of these steps, for `uids` or all.

    `how` says how the second was made.
    """
    within = {step.name: tolerance(step) for step in steps}
    for (step, column), values in one.values.items():
        if step not in within:
            continue
        for uid, value in values.items():
            if uids is not None and uid not in uids:
                continue
            got = other.values[step, column].get(uid, "nothing")
            if not same(value, got, within[step]):
                raise Broken(
                    f"the same {column!r} of step {step!r} {how}",
                    f"{brief(value)}, then {brief(got)}, for uid {uid}",
                    mend,
                )


def demand_same_run(one: Ran, other: Ran, steps: Sequence[Step], how: str, mend: str) -> None:
    """`Broken` unless two runs stored the same values and kept the same rows."""
    demand_same_values(one, other, steps, how, mend)
    uids = sorted(one.kept.keys() | other.kept.keys())
    if changed := [uid for uid in uids if one.kept[uid] != other.kept[uid]]:
        before, after = one.kept[changed[0]], other.kept[changed[0]]
        raise Broken(
            f"the same subset {how}",
            f"{len(changed)} of {one.pool.n_rows} rows judged otherwise: uid {changed[0]} was "
            f"{times(before)}, then {times(after)}",
            mend,
        )


def _fields(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema) or "no column"


def stable(subject: Subject) -> Ran:
    """The run on the ordinary pool; `SkipTest` if a second one ends otherwise.

    For checks that compare with it: of a filter that draws, they would say what is not so.
    """
    ordinary = subject.ordinary
    try:
        demand_same_run(ordinary, subject.second_run, subject.steps, "", "")
    except Broken:
        raise SkipTest("it does not repeat itself: see repeatable") from None
    return ordinary


def brief(value: Any) -> str:
    """A value, cut at a readable length."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"


def times(n: int) -> str:
    """How often a row is kept."""
    return "dropped" if n == 0 else "kept" if n == 1 else f"kept {n} times"
