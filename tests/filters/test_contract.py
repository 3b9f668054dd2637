"""What every registered built-in filter holds to, built from its own example."""

import json
from dataclasses import FrozenInstanceError

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.filtering import (
    FILTERS,
    filter_class,
    filter_from_params,
    filter_from_words,
    filter_spec,
    run_filter,
)
from datacomp.pool import open_pool

BUILT_IN = [name for name in FILTERS if FILTERS.origin(name).startswith("datacomp ")]
every_filter = pytest.mark.parametrize("name", BUILT_IN)


def built(name):
    kind = filter_class(name)
    return filter_from_words(kind, kind.example.split())


def test_the_four_filters_are_registered_by_entry_points():
    assert {"no_filter", "random", "basic_filter", "clip_score"} <= set(BUILT_IN)


@every_filter
def test_it_is_rebuilt_from_its_json(name):
    chosen = built(name)
    params = json.loads(json.dumps(filter_spec(chosen).to_json()))["params"]
    assert filter_from_params(type(chosen), params) == chosen


@every_filter
def test_it_cannot_be_changed(name):
    with pytest.raises(FrozenInstanceError):
        built(name).anything = 1


@every_filter
def test_it_explains_itself(name):
    chosen = built(name)
    assert chosen.summary.endswith(".")
    assert all(rule.endswith(".") for rule in chosen.rules())


@every_filter
def test_neither_row_order_nor_the_cut_into_parts_matters(name, golden_pool, run, tmp_path):
    tables = [golden_pool.read(part, part.columns) for part in golden_pool.parts]
    rows = pa.concat_tables(tables)
    backwards = rows.take(pa.array(range(len(rows) - 1, -1, -1)))
    for number, start in enumerate(range(0, len(rows), 2500)):
        pq.write_table(backwards.slice(start, 2500), tmp_path / f"{number}.parquet")
    recut = run_filter(built(name), open_pool(str(tmp_path)), tmp_path / "scores")
    usual = run_filter(built(name), golden_pool, tmp_path / "scores")
    assert recut.subset.sha256 == usual.subset.sha256
    assert recut.counts == usual.counts


@every_filter
def test_an_empty_pool_gives_an_empty_subset(name, golden_pool, tmp_path):
    part = golden_pool.parts[0]
    empty = golden_pool.read(part, part.columns).slice(0, 0)
    pq.write_table(empty, tmp_path / "0.parquet")
    result = run_filter(built(name), open_pool(str(tmp_path)), tmp_path / "scores")
    assert (result.subset.n, result.counts.rows) == (0, 0)


@every_filter
def test_nulls_in_every_column_are_counted_and_never_raise(name, golden_pool, tmp_path):
    part = golden_pool.parts[0]
    table = golden_pool.read(part, part.columns).slice(0, 10)
    nulls = {n: pa.nulls(10, table.schema.field(n).type) for n in table.column_names if n != "uid"}
    pq.write_table(pa.table({"uid": table.column("uid"), **nulls}), tmp_path / "0.parquet")
    counts = run_filter(built(name), open_pool(str(tmp_path)), tmp_path / "scores").counts
    assert counts.kept + sum(counts.dropped.values()) == 10
