"""The data twins of tables: what a page shows, as values with types, and as CSV, JSON and Parquet.

Whoever makes a table for a page makes a `Table` beside it. Values are those behind the shown text:
fractions, not percentages; moments, not days.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Type = Literal["text", "int", "float", "bool", "date"]
Cell = str | int | float | bool | datetime | None

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Column:
    """A column: `key` names it for programs, `label` for people; `unit` if it has one.

    Cells of type "date" are aware moments.
    """

    key: str
    label: str
    type: Type
    unit: str | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells under `columns`; a cell is None where there is no value. `name` is a word."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.name!r}: a row has not {len(self.columns)} cells")


def to_csv(table: Table) -> str:
    """As CSV (RFC 4180), with the keys as header; absent values are empty.

    A text that a spreadsheet would run as a formula gets a quote before it.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([inert(column.key) for column in table.columns])
    writer.writerows([_plain(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def to_json(table: Table) -> str:
    """As JSON: the columns with their types, and every row as an object by column key."""
    keys = [column.key for column in table.columns]
    columns = [
        {"key": c.key, "label": c.label, "type": c.type, "unit": c.unit} for c in table.columns
    ]
    rows = [dict(zip(keys, map(_json_cell, row), strict=True)) for row in table.rows]
    whole = {"name": table.name, "title": table.title, "columns": columns, "rows": rows}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def to_parquet(table: Table) -> bytes:
    """As Parquet; labels and units are metadata of the fields, moments are in UTC."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "date": pa.timestamp("us", tz="UTC"),
    }
    fields = [
        pa.field(c.key, kinds[c.type], metadata=_facts(label=c.label, unit=c.unit))
        for c in table.columns
    ]
    schema = pa.schema(fields, metadata=_facts(name=table.name, title=table.title))
    columns: list[pa.Array] = [
        pa.array(_column(table, i), field.type) for i, field in enumerate(fields)
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), out, compression="zstd")
    return out.getvalue()


def inert(text: str) -> str:
    """`text`, with a quote before it if a spreadsheet would take it for a formula."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _plain(cell: Cell) -> object:
    if isinstance(cell, str):
        return inert(cell)
    return cell.isoformat() if isinstance(cell, datetime) else cell


def _json_cell(cell: Cell) -> Any:
    return cell.isoformat() if isinstance(cell, datetime) else cell


def _column(table: Table, place: int) -> Sequence[Cell]:
    return [row[place] for row in table.rows]


def _facts(**facts: str | None) -> dict[str, str]:
    return {name: text for name, text in facts.items() if text is not None}
