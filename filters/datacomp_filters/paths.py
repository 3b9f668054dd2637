"""Paths among a filter's parameters, for processes that work in another folder."""

from pathlib import Path

from datacomp.filtering import Filter
from datacomp.filtering.contract import fields


def anchor_paths(chosen: Filter) -> None:
    """Make the runtime fields that name something here absolute; call it in `__post_init__`.

    What names nothing stays as it was typed, for the error that will quote it.
    """
    for field in fields(type(chosen)):
        value = getattr(chosen, field.name)
        if field.metadata.get("runtime") and isinstance(value, str) and value:
            path = Path(value).expanduser()
            if path.exists():
                object.__setattr__(chosen, field.name, str(path.absolute()))
