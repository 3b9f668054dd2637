"""The forms of a table: the same values in each, absent ones absent, no text a formula."""

import csv
import io
import json
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from datacomp_leaderboard.twins import Column, Table, to_csv, to_json, to_parquet

DAY = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLUMNS = (
    Column("method", "Method", "text"),
    Column("n", "Samples", "int"),
    Column("average", "Average", "float", "fraction"),
    Column("verified", "Verified", "bool"),
    Column("date", "Date", "date"),
)
ROWS = (('=1+1, "two"\nlines وسام', 3, 0.25, True, DAY), (None, None, None, None, None))
TABLE = Table("board", "A board", COLUMNS, ROWS)


def test_csv_is_read_back_and_runs_no_formula():
    header, first, second = csv.reader(io.StringIO(to_csv(TABLE)))

    assert header == ["method", "n", "average", "verified", "date"]
    assert first == ["'" + ROWS[0][0], "3", "0.25", "True", "2026-11-22T10:00:00+00:00"]
    assert second == [""] * 5


def test_json_says_what_the_columns_are():
    found = json.loads(to_json(TABLE))

    assert found["columns"][2] == {
        "key": "average",
        "label": "Average",
        "type": "float",
        "unit": "fraction",
    }
    assert found["rows"][0]["method"] == ROWS[0][0]
    assert set(found["rows"][1].values()) == {None}


def test_parquet_has_types_and_labels():
    found = pq.read_table(io.BytesIO(to_parquet(TABLE)))

    assert [tuple(row.values()) for row in found.to_pylist()] == list(ROWS)
    types = ["string", "int64", "double", "bool", "timestamp[us, tz=UTC]"]
    assert [str(field.type) for field in found.schema] == types
    assert found.schema.field("average").metadata == {b"label": b"Average", b"unit": b"fraction"}


def test_an_empty_table_keeps_its_types():
    found = pq.read_table(io.BytesIO(to_parquet(Table("board", "", COLUMNS, ()))))

    assert (found.num_rows, str(found.schema.field("n").type)) == (0, "int64")


def test_a_number_that_is_none_of_json_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        to_json(Table("t", "", COLUMNS[2:3], ((float("nan"),),)))


def test_a_row_has_as_many_cells_as_there_are_columns():
    with pytest.raises(ValueError, match="2 cells"):
        Table("t", "", COLUMNS[:2], (("a",),))
