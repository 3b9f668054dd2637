"""Checks of the selector: every row of every part is kept or dropped for a reason."""

import re
from typing import Any
from unittest import SkipTest

import numpy as np

from datacomp.filtering.conformance.kit import Broken, listing
from datacomp.filtering.conformance.subject import Subject
from datacomp.filtering.contract import Filter, parameters
from datacomp.filtering.params import filter_from_params
from datacomp.filtering.selection import Selection
from datacomp.filtering.view import View
from datacomp.pool import Part

_WORD = r"[a-z0-9][a-z0-9_.\-]*"
_REASON = re.compile(f"{_WORD}(: {_WORD})*")


def check_selection(subject: Subject) -> None:
    """Every row of every part is accounted for."""
    made, parts = _selected(subject)[0], subject.pool.parts
    if len(made) != len(parts):
        raise Broken(
            f"{len(parts)} Selections, one a part",
            f"{len(made)}",
            "Yield keep_unless(rows, ...) for rows in view.parts().",
        )
    for part, selection in zip(parts, made, strict=True):
        _demand_codes(part, selection)


def check_reasons(subject: Subject) -> None:
    """Reasons have short names, equal in all parts."""
    subject.demand_run()
    made = _selected(subject)[0]
    for selection in made:
        reasons = selection.reasons
        odd = [reason for reason in reasons if not _REASON.fullmatch(reason)]
        if odd or len(set(reasons)) != len(reasons) or reasons != made[0].reasons:
            raise Broken(
                "reasons like few_words: small letters, digits, _, in the same order in all parts",
                listing(reasons),
                "Name the rule that drops a row; counts are kept by these names.",
            )


def check_view_twice(subject: Subject) -> None:
    """Selecting twice gives the same."""
    subject.demand_run()
    for part, one, other in zip(subject.pool.parts, *_selected(subject), strict=True):
        if not np.array_equal(one.times, other.times):
            raise Broken(
                f"the same rows of part {part.name} both times",
                f"{int((one.times != other.times).sum())} rows judged otherwise",
                "Keep nothing between calls: select() may be called again.",
            )


def _selected(subject: Subject) -> list[list[Any]]:
    """What select() answers for the ordinary pool, asked twice; `SkipTest` if it cannot."""
    calls: list[list[Any]] = []
    kind = type(subject.chosen)

    def select(self: Filter, view: View) -> list[Any]:
        calls.extend(list(kind.select(self, view)) for _ in range(2))
        return calls[0]

    recorder = type(kind.__name__, (kind,), {"select": select})
    chosen = filter_from_params(recorder, parameters(subject.chosen))
    try:
        subject.run(subject.pool, chosen, subject.store)
    except Exception as error:
        if len(calls) < 2:
            raise SkipTest("it does not run on ordinary rows: see runs") from error
    return calls


def _demand_codes(part: Part, selection: object) -> None:
    mend = "Make it with keep_unless(rows, {reason: mask}, copies)."
    where = f"of part {part.name}"
    if not isinstance(selection, Selection):
        raise Broken(f"a Selection {where}", type(selection).__name__, mend)
    code, copies = selection.code, selection.copies
    if code.shape != (part.n_rows,) or code.dtype != np.uint8:
        raise Broken(f"{part.n_rows} codes {where}, uint8", f"{code.dtype} {code.shape}", mend)
    if code.size and int(code.max()) > len(selection.reasons):
        raise Broken(f"codes up to {len(selection.reasons)} {where}", f"{code.max()}", mend)
    if copies is None:
        return
    if copies.shape != code.shape or copies.dtype != np.uint32:
        raise Broken(
            f"{part.n_rows} copies {where}, uint32", f"{copies.dtype} {copies.shape}", mend
        )
    if (copies[selection.kept] == 0).any():
        raise Broken(f"copies of 1 or more for kept rows {where}", "0", "Drop it for a reason.")
