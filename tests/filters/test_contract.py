"""DataComp's baselines on the golden pool; the conformance kit tries the rest of the contract."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.filtering import FILTERS, run_filter
from datacomp.pool import open_pool

BASELINES = (
    "no_filter",
    "random",
    "basic_filter",
    "clip_score",
    "laion2b",
    "text_based",
    "text_based_sampling",
    "image_based",
    "image_based_intersect_clip_score",
    "image_based_sampling",
)


def test_every_baseline_is_registered_by_an_entry_point():
    ours = {name for name in FILTERS if FILTERS.origin(name).startswith("datacomp ")}
    assert ours >= set(BASELINES)


@pytest.mark.parametrize("name", BASELINES)
def test_neither_row_order_nor_the_cut_into_parts_matters(name, built, golden_pool, tmp_path):
    rows, features = everything(golden_pool)
    backwards, turned = rows.take(pa.array(range(len(rows) - 1, -1, -1))), features[::-1]
    for number, start in enumerate(range(0, len(rows), 2500)):
        stop = start + 2500
        write_part(tmp_path, number, backwards.slice(start, 2500), turned[start:stop])
    recut = run_filter(built(name), open_pool(str(tmp_path)), tmp_path / "scores")
    usual = run_filter(built(name), golden_pool, tmp_path / "scores")
    assert recut.subset.sha256 == usual.subset.sha256
    assert recut.counts == usual.counts


def everything(pool):
    tables = [pool.read(part, part.columns) for part in pool.parts]
    features = [pool.features(part, "l14_img") for part in pool.parts]
    return pa.concat_tables(tables), np.concatenate(features)


def write_part(folder, number, table, features):
    pq.write_table(table, folder / f"{number}.parquet")
    np.savez(folder / f"{number}.npz", l14_img=features)
