"""`compat="datacomp"` where the original's rule is the only one: it pins the parameters."""

from datacomp.errors import UsageError
from datacomp.filtering import Filter
from datacomp.filtering.contract import fields


def refuse_other_values(chosen: Filter) -> None:
    """`UsageError` if a filter with compat="datacomp" has another parameter than the default.

    For filters whose defaults are the original's numbers; runtime fields (paths) may differ.
    """
    if getattr(chosen, "compat", None) is None:
        return
    for field in fields(type(chosen)):
        value = getattr(chosen, field.name)
        if field.name == "compat" or field.metadata.get("runtime") or value == field.default:
            continue
        raise UsageError(
            f"compat=datacomp fixes {field.name}={field.default} of filter {chosen.name!r}, got "
            f"{value}. Leave one of the two out"
        )
