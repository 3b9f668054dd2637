"""Checks of row steps and image steps: what they compute must come from the row alone."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import SkipTest

import numpy as np
import pyarrow as pa

from datacomp.filtering.conformance.compare import (
    answer,
    brief,
    demand_same_run,
    first_difference,
    stable,
    tolerance,
)
from datacomp.filtering.conformance.kit import Broken, listing
from datacomp.filtering.conformance.subject import Subject
from datacomp.filtering.conformance.toy_rows import N_ROWS, ToyRows
from datacomp.filtering.contract import ImageStep, RowStep, Step, parameters
from datacomp.filtering.work import told

ALONE = "Compute every row from that row alone; what needs all rows belongs into select()."
COPY = "Work on a copy: other steps are given the same objects."


def check_runs(subject: Subject) -> None:
    """It runs on ordinary rows."""
    if isinstance(subject.first_run, Exception):
        raise subject.first_run


def check_declared_inputs(subject: Subject) -> None:
    """It reads what it declares, nothing else."""
    for step in subject.row_steps:
        _demand_declared_batch(subject, step)
    declared = f"{listing([*subject.columns, *subject.features])} alone"
    mend = "Declare what is read: columns() of the filter or step, features of the step."
    if isinstance(subject.first_run, Exception):
        if "does not declare" in str(subject.first_run):
            raise Broken(f"select() reads {declared}", str(subject.first_run), mend)
        raise SkipTest("it does not run on ordinary rows: see runs")
    bare = subject.write(subject.rows.only(subject.columns, subject.features), (N_ROWS,))
    try:
        ran = subject.run(bare)
    except Exception as error:
        raise Broken(f"it runs on a pool that has {declared}", told(error), mend) from error
    how = f"on a pool that has {declared}"
    demand_same_run(stable(subject), ran, subject.steps, how, mend)


def check_declared_outputs(subject: Subject) -> None:
    """Steps answer with the columns they declare."""
    for step, rows in _with_steps(subject):
        for n in (1, rows.n):
            answer(subject, step, rows.take(range(n)))


def check_ordinary_values(subject: Subject) -> None:
    """Some ordinary rows get a value."""
    for step, rows in _with_steps(subject):
        made = answer(subject, step, rows)
        for name in made.schema.names:
            if made.column(name).null_count == rows.n:
                raise Broken(
                    f"a value of {name!r} for some of {rows.n} ordinary rows",
                    f"null for all, from step {step.name!r}",
                    "Look whether it swallows an error; with --pool it is tried on your own rows.",
                )


def check_batch_size(subject: Subject) -> None:
    """A row's value does not depend on batch size."""
    for step, rows in _with_steps(subject):
        stable(subject)
        whole = answer(subject, step, rows)
        for size in (1, 7):
            pieces = [rows.take(range(i, min(i + size, rows.n))) for i in range(0, rows.n, size)]
            made = pa.Table.from_batches([answer(subject, step, piece) for piece in pieces])
            _demand_same(step, whole, made, f"in batches of {size} as in one of {rows.n}")


def check_row_order(subject: Subject) -> None:
    """A row's value does not depend on its neighbours."""
    for step, rows in _with_steps(subject):
        stable(subject)
        order = np.random.default_rng(0).permutation(rows.n).tolist()
        made = answer(subject, step, rows.take(order))
        back = made.take(pa.array(np.argsort(order)))
        _demand_same(step, answer(subject, step, rows), back, "with the rows in another order")


def check_repeatable(subject: Subject) -> None:
    """The same rows give the same result again."""
    ordinary = subject.ordinary
    mend = "Draw nothing, or declare `seed: int = 0` and draw from it and the uid."
    demand_same_run(ordinary, subject.second_run, subject.steps, "in a second run", mend)


def check_seed(subject: Subject) -> None:
    """Chance comes from the declared seed alone."""
    ordinary = subject.ordinary
    for state in (1, 2):
        with _global_state(state):
            ran = subject.run(subject.pool)
        how = "whatever the state of random, np.random and torch"
        mend = "Declare `seed: int = 0` and use np.random.default_rng(seed), not global state."
        demand_same_run(ordinary, ran, subject.steps, how, mend)
    params = parameters(subject.chosen)
    if "seed" not in params:
        return
    for seed in range(params["seed"] + 1, params["seed"] + 6):
        ran = subject.run(subject.pool, subject.changed(seed=seed))
        if (ran.kept, ran.values) != (ordinary.kept, ordinary.values):
            return
    raise SkipTest("five other seeds gave the same result here; try parameters where it matters")


def check_inputs_untouched(subject: Subject) -> None:
    """Steps leave batches and pictures as they are."""
    for step, rows in _with_steps(subject):
        given, (batch, *pictures) = subject.given(step, rows), subject.given(step, rows)
        subject.opened(step)(*given)
        # By their bytes: NaN, which embeddings may hold, equals nothing.
        if not given[0].serialize().equals(batch.serialize()):
            raise Broken("the batch as it was", f"other values after step {step.name!r}", COPY)
        if pictures:
            _demand_same_pictures(step, pictures[0], given[1])


def check_part_split(subject: Subject) -> None:
    """Order of rows and cut into parts do not count."""
    ordinary, backwards = stable(subject), subject.rows.take(range(N_ROWS - 1, -1, -1))
    ran = subject.run(subject.write(backwards, (4, 0, N_ROWS - 4)))
    mend = f"{ALONE} There, break ties by uid, not by position."
    how = "with the rows backwards and cut into other parts"
    demand_same_run(ordinary, ran, subject.steps, how, mend)


def _with_steps(subject: Subject) -> Iterator[tuple[RowStep | ImageStep, ToyRows]]:
    """The steps with ordinary rows; `SkipTest` if there is none, or it does not run at all."""
    if not subject.row_steps:
        raise SkipTest("it has no steps that compute row by row")
    subject.demand_run()
    for step in subject.row_steps:
        yield step, subject.rows


def _demand_declared_batch(subject: Subject, step: RowStep | ImageStep) -> None:
    rows = subject.rows
    try:
        subject.computed(step, rows)
    except Exception as error:
        if step.inputs():
            raise SkipTest("it does not run on ordinary rows: see runs") from error
        batch = rows.batch(rows.table.column_names, rows.features)
        pictures = subject.given(step, rows)[1:]
        try:
            subject.opened(step)(batch, *pictures)
        except Exception:
            raise SkipTest("it does not run on ordinary rows: see runs") from error
        raise Broken(
            f"step {step.name!r} computes with {listing([*step.columns(), *step.features])} alone",
            f"{told(error)}; given all columns and features, it computes",
            "Declare what it reads in columns() or features.",
        ) from error


def _demand_same(step: Step, whole: Any, made: Any, how: str) -> None:
    for name in whole.schema.names:
        one, other = whole.column(name).to_pylist(), made.column(name).to_pylist()
        place = first_difference(one, other, tolerance(step))
        if place is not None:
            raise Broken(
                f"the same {name!r} of step {step.name!r} {how}",
                f"{brief(one[place])}, then {brief(other[place])}, for row {place}",
                f"{ALONE} Where only rounding differs (models), declare `tolerance` on the step.",
            )


def _demand_same_pictures(step: Step, before: Any, after: Any) -> None:
    for row, (one, other) in enumerate(zip(before, after, strict=True)):
        if (one.size, one.mode, one.tobytes()) != (other.size, other.mode, other.tobytes()):
            raise Broken(
                f"picture {row} as it was: {one.mode}, {one.width} x {one.height}",
                f"{other.mode}, {other.width} x {other.height} after step {step.name!r}",
                COPY,
            )


@contextmanager
def _global_state(state: int) -> Iterator[None]:
    """Set the generators that everybody shares; as they were, afterwards."""
    torch = sys.modules.get("torch")
    before = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()
    random.seed(state)
    np.random.seed(state)
    if torch:
        torch.manual_seed(state)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        if torch:
            torch.set_rng_state(before[2])
