"""Checks with rows that filters trip over: nulls, huge captions, NaN, broken pictures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from unittest import SkipTest

import numpy as np
import pyarrow as pa

from datacomp.filtering.conformance.compare import (
    answer,
    brief,
    demand_same_values,
    first_difference,
    stable,
    tolerance,
)
from datacomp.filtering.conformance.kit import Broken, listing
from datacomp.filtering.conformance.subject import PARTS, Subject
from datacomp.filtering.conformance.toy_pictures import broken_pictures, odd_pictures
from datacomp.filtering.conformance.toy_rows import N_ROWS, ToyRows, odd_features, odd_values
from datacomp.filtering.contract import ImageStep, RowStep
from datacomp.filtering.work import told
from datacomp.pool.schema import UID

NULL = "Answer null for a row that it cannot judge, and do not let it change its neighbours."
ODD_ROWS = tuple(range(0, N_ROWS, 2))
"""The rows that get an odd value; those between them stay as they are."""


def check_null_rows(subject: Subject) -> None:
    """Nulls are answered and change no other row."""
    for step, column in _columns(subject, lambda kind: True):
        _try(subject, step, _planted(subject.rows, column, [None]), [None], column)


def check_odd_captions(subject: Subject) -> None:
    """Empty, 1 MB, many-line and odd captions work."""
    for step, column in _columns(subject, _is_text):
        values = odd_values(subject.rows.table.schema.field(column).type)
        _try(subject, step, _planted(subject.rows, column, values), values, column)


def check_odd_numbers(subject: Subject) -> None:
    """NaN, infinite, negative and huge numbers work."""
    tried = 0
    for step, column in _columns(subject, lambda kind: not _is_text(kind), none_is_fine=True):
        values = odd_values(subject.rows.table.schema.field(column).type)
        _try(subject, step, _planted(subject.rows, column, values), values, column)
        tried += 1
    for step in subject.row_steps:
        for key in step.features:
            odd = odd_features(subject.rows.features[key])
            array = subject.rows.features[key].copy()
            array[list(ODD_ROWS)] = odd[np.arange(len(ODD_ROWS)) % len(odd)]
            features = {**subject.rows.features, key: array}
            _try(subject, step, replace(subject.rows, features=features), odd[:, 0].tolist(), key)
            tried += 1
    if not tried:
        raise SkipTest("its steps read no numbers")


def check_odd_pictures(subject: Subject) -> None:
    """Tiny, narrow and missing pictures work."""
    odd: dict[str, bytes | None] = {"that is missing": None, **odd_pictures()}
    images = list(subject.rows.images)
    for place, row in enumerate(ODD_ROWS):
        images[row] = list(odd.values())[place % len(odd)]
    rows = replace(subject.rows, images=tuple(images))
    for step in _image_steps(subject):
        made = _try(subject, step, rows, [f"a picture {name}" for name in odd], "the picture")
        for name in made.schema.names:
            if made.column(name)[0].is_valid:
                raise Broken(
                    f"null in {name!r} of step {step.name!r} for a row without a picture",
                    brief(made.column(name)[0].as_py()),
                    "Answer null where the picture is None.",
                )


def check_broken_pictures(subject: Subject) -> None:
    """Broken pictures in shards get null."""
    steps = list(_image_steps(subject))
    broken: list[bytes | None] = [None, *broken_pictures().values()]
    images = list(subject.rows.images)
    for place, row in enumerate(ODD_ROWS):
        images[row] = broken[place % len(broken)]
    ran = subject.run(subject.write(replace(subject.rows, images=tuple(images)), PARTS))
    uids = subject.rows.table[UID].to_pylist()
    for step in steps:
        for name in step.outputs().names:
            values = ran.values[step.name, name]
            if seen := [uids[row] for row in ODD_ROWS if values[uids[row]] is not None]:
                raise Broken(
                    f"null in {name!r} of step {step.name!r} for a broken picture",
                    brief(values[seen[0]]),
                    "Answer null where the picture is None.",
                )
    left = {uid for row, uid in enumerate(uids) if row not in ODD_ROWS}
    demand_same_values(stable(subject), ran, steps, "beside broken pictures", NULL, left)


def check_odd_rows(subject: Subject) -> None:
    """Rows of nulls and of odd values are judged."""
    columns = [name for name in subject.columns if name != UID]
    if not columns:
        raise SkipTest("it reads no column")
    subject.demand_run()
    for what, choose in (("null", lambda values: [None]), ("an odd value", lambda values: values)):
        rows = subject.rows
        for column in columns:
            kind = rows.table.schema.field(column).type
            values = choose(odd_values(kind))
            rows = rows.with_column(
                column, pa.array([values[i % len(values)] for i in range(N_ROWS)], kind)
            )
        try:
            subject.run(subject.write(rows, PARTS))
        except Exception as error:
            raise Broken(
                f"every row judged where {listing(columns)} hold {what}", told(error), NULL
            ) from error


def check_empty_pool(subject: Subject) -> None:
    """An empty pool gives an empty subset."""
    subject.demand_run()
    ran = subject.run(subject.write(subject.rows.take([]), (0,)))
    if ran.kept:
        raise Broken("no row kept", f"{ran.kept.total()} kept", "Select from the rows of the view.")


def _columns(
    subject: Subject, wanted: Callable[[Any], bool], *, none_is_fine: bool = False
) -> Iterator[tuple[RowStep | ImageStep, str]]:
    """Each step with each wanted column that it reads."""
    if not subject.row_steps:
        raise SkipTest("it has no steps that compute row by row")
    subject.demand_run()
    schema = subject.rows.table.schema
    found = [
        (step, name)
        for step in subject.row_steps
        for name in step.columns()
        if name != UID and wanted(schema.field(name).type)
    ]
    if not found and not none_is_fine:
        raise SkipTest("its steps read no such column")
    yield from found


def _image_steps(subject: Subject) -> Iterator[ImageStep]:
    if not subject.sees_images:
        raise SkipTest("it looks at no pictures")
    subject.demand_run()
    yield from (step for step in subject.row_steps if isinstance(step, ImageStep))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _planted(rows: ToyRows, column: str, values: Sequence[Any]) -> ToyRows:
    """Odd values in every second row."""
    planted = rows.table.column(column).to_pylist()
    for place, row in enumerate(ODD_ROWS):
        planted[row] = values[place % len(values)]
    return rows.with_column(column, pa.array(planted, rows.table.schema.field(column).type))


def _try(
    subject: Subject, step: RowStep | ImageStep, rows: ToyRows, values: Sequence[Any], column: str
) -> pa.RecordBatch:
    """Compute rows of which every second one is odd; the others must not change."""
    try:
        made = answer(subject, step, rows)
    except Broken:
        raise
    except Exception as error:
        value, own = _culprit(subject, step, rows, values, error)
        expected = f"step {step.name!r} answers where {column} is {value}"
        raise Broken(expected, told(own), NULL) from own
    stable(subject)
    usual = answer(subject, step, subject.rows)
    kept = [row for row in range(rows.n) if row not in ODD_ROWS]
    for name in made.schema.names:
        one, other = usual.column(name).take(pa.array(kept)), made.column(name).take(pa.array(kept))
        place = first_difference(one.to_pylist(), other.to_pylist(), tolerance(step))
        if place is not None:
            raise Broken(
                f"the same {name!r} of step {step.name!r} for a row beside odd {column}",
                f"{brief(one[place].as_py())}, then {brief(other[place].as_py())}",
                NULL,
            )
    return made


def _culprit(
    subject: Subject,
    step: RowStep | ImageStep,
    rows: ToyRows,
    values: Sequence[Any],
    together: Exception,
) -> tuple[str, Exception]:
    """The value that alone makes the step fail, and how; else how they do together."""
    for place, value in enumerate(values[: len(ODD_ROWS)]):
        try:
            subject.computed(step, rows.take([ODD_ROWS[place]]))
        except Exception as error:
            return brief(value), error
    return "odd in several rows", together
