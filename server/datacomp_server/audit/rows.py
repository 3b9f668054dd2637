"""Rows of any table as JSON values and back, the same from every database.

Moments are ISO 8601 in UTC with microseconds, bytes are base64; everything else is as JSON has it.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Insert, LargeBinary, Table, bindparam, insert, select
from sqlalchemy.orm import Session

from datacomp.events import instant
from datacomp.files import canonical_json
from datacomp_server.kit.db import UtcDateTime

_BATCH = 500


def rows_of(session: Session, table: Table) -> Iterator[dict[str, Any]]:
    """Every row of a table in the order of its key; holds a batch of them in memory."""
    statement = select(table).order_by(*table.primary_key.columns)
    found = session.execute(statement.execution_options(yield_per=_BATCH))
    for row in found.mappings():
        yield {name: plain(value) for name, value in row.items()}


def plain(value: Any) -> Any:
    """A database value as a JSON value."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def add_rows(session: Session, table: Table, lines: Iterable[bytes]) -> int:
    """Insert rows from lines of JSON; returns how many. `KeyError` if a column is missing."""
    statement, batch, n = _insert(table), [], 0
    for line in lines:
        batch.append(_values(table, json.loads(line)))
        n += 1
        if len(batch) == _BATCH:
            session.execute(statement, batch)
            batch = []
    if batch:
        session.execute(statement, batch)
    return n


def as_line(value: Mapping[str, Any]) -> bytes:
    """One line of JSON, with its line break; the same bytes for the same value."""
    return canonical_json(dict(value)) + b"\n"


def _insert(table: Table) -> Insert:
    """An insert in which None is NULL, in columns of JSON too."""
    places = {
        column.name: bindparam(column.name, type_=JSON(none_as_null=True))
        if isinstance(column.type, JSON)
        else bindparam(column.name, type_=column.type)
        for column in table.columns
    }
    return insert(table).values(places)


def _values(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {column.name: _of_plain(column, row[column.name]) for column in table.columns}


def _of_plain(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(value)
    return value
