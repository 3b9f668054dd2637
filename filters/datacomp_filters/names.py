"""Lists of names in files: metadata entries, classes, concepts."""

import json
from pathlib import Path

from datacomp.errors import FilterError


def read_names(path: Path, what: str) -> list[str]:
    """The names in a file: a JSON list of strings, or one a line; each once, in order.

    White space around a name is dropped, and empty lines. `FilterError` if there is no name.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FilterError(f"{path} cannot be read as {what}: {error}") from None
    names = _json_names(path, text, what) if text.lstrip().startswith("[") else text.split("\n")
    kept = list(dict.fromkeys(filter(None, (name.strip() for name in names))))
    if not kept:
        raise FilterError(f"{path} holds no {what}: expected one a line, or a JSON list of them")
    return kept


def _json_names(path: Path, text: str, what: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError as error:
        raise FilterError(f"{path} begins as a JSON list of {what}, but: {error}") from None
    if not all(isinstance(name, str) for name in names):
        raise FilterError(f"{path} is a JSON list of other things than {what}, which are strings")
    return list(names)
