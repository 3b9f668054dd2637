"""The list of all checks, in the order in which they run and are shown."""

from datacomp.errors import UsageError
from datacomp.filtering.conformance import apart, computed, declared, odd, selected
from datacomp.filtering.conformance.kit import BoundCheck, Check
from datacomp.filtering.conformance.subject import Subject
from datacomp.filtering.params import filter_from_words
from datacomp.filtering.registry import filter_class

CHECKS = tuple(
    Check(function)
    for function in (
        declared.check_declaration,
        declared.check_example,
        declared.check_frozen,
        declared.check_clone,
        declared.check_missing_asset,
        apart.check_light_import,
        computed.check_runs,
        computed.check_repeatable,
        computed.check_seed,
        computed.check_declared_inputs,
        computed.check_declared_outputs,
        computed.check_ordinary_values,
        computed.check_batch_size,
        computed.check_row_order,
        computed.check_inputs_untouched,
        computed.check_part_split,
        odd.check_null_rows,
        odd.check_odd_captions,
        odd.check_odd_numbers,
        odd.check_odd_pictures,
        odd.check_broken_pictures,
        odd.check_odd_rows,
        odd.check_empty_pool,
        selected.check_selection,
        selected.check_reasons,
        selected.check_view_twice,
        apart.check_no_network,
        apart.check_files,
        apart.check_other_process,
    )
)


def subject_of(name: str, *words: str, pool: str | None = None) -> Subject:
    """A registered filter on trial, with `key=value` words or those of its example.

    `pool` has the columns that it reads and DataComp's pools lack. `UsageError` for such a column
    without a pool, and for a waiver of a check that there is not.
    """
    kind = filter_class(name)
    subject = Subject(filter_from_words(kind, words or kind.example.split()), pool)
    known = [check.name for check in CHECKS]
    if unknown := [check for check in subject.waived if check not in known]:
        raise UsageError(
            f"filter {name!r} waives {unknown[0]!r}, which is no check. There are: "
            f"{', '.join(known)}"
        )
    return subject


def checks(name: str, *words: str, pool: str | None = None) -> tuple[BoundCheck, ...]:
    """All checks of a registered filter, each to be called: raises `Broken`, or `SkipTest`.

    Parameters as for `subject_of`.
    """
    subject = subject_of(name, *words, pool=pool)
    return tuple(BoundCheck(check, subject) for check in CHECKS)
