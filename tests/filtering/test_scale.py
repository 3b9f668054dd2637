"""A pool far larger than the memory that a run may use: the run's peak stays where it is."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.subset import read_subset

LIMIT = 6 * 2**20
ROWS_PER_PART = 100_000
FEW, MANY = 6, 40

# The smaller pool is past the limit too: when the larger comes, all code is loaded and compiled.
RUN = f"""
import json, resource, sys
from pathlib import Path
from datacomp.filtering import filter_class, run_filter
from datacomp.filtering.selection_file import read_selection
from datacomp.pool import open_pool

def run(pool, name, output):
    chosen = read_selection(Path(name))
    result = run_filter(chosen, open_pool(pool), Path(output), max_memory={LIMIT})
    result.write(Path(output + ".npy"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

few, many, name = sys.argv[1:]
print(json.dumps([run(few, name, "few"), run(many, name, "many")]))
"""


def write_pool(folder, parts):
    (folder / "metadata").mkdir(parents=True)
    rng = np.random.default_rng(0)
    scores = []
    for part in range(parts):
        offsets = pa.py_buffer(np.arange(0, 32 * ROWS_PER_PART + 1, 32, dtype=np.int32))
        raw = pa.py_buffer(rng.bytes(16 * ROWS_PER_PART).hex().encode())
        uids = pa.StringArray.from_buffers(ROWS_PER_PART, offsets, raw)
        scores.append(rng.normal(size=ROWS_PER_PART).astype(np.float32))
        table = pa.table({"uid": uids, "s": scores[-1]})
        pq.write_table(table, folder / "metadata" / f"{part:04d}.parquet")
    return np.concatenate(scores)


@pytest.mark.parametrize(
    "selection",
    [
        "select: {top_fraction: {column: s, fraction: 0.5}}",
        """
        select:
          cascade:
            - or: [{random: {fraction: 0.9}}, {threshold: {column: s, maximum: 0}}]
            - top_fraction: {column: s, fraction: 0.5}
        """,
    ],
    ids=["top", "cascade"],
)
def test_peak_memory_does_not_grow_with_the_pool(tmp_path, selection):
    write_pool(tmp_path / "few_pool", FEW)
    scores = write_pool(tmp_path / "many_pool", MANY)
    (tmp_path / "mine.yaml").write_text(selection)
    command = [sys.executable, "-c", RUN, "few_pool", "many_pool", "mine.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    few, many = json.loads(done.stdout)
    subset = read_subset(tmp_path / "many.npy")
    assert subset.n > 1_500_000, "the kept uids alone are four times the limit"
    if "random" not in selection:
        assert subset.n == len(scores) // 2
    assert many - few < MANY * ROWS_PER_PART * 16 / 2, "half of the pool's uids, or more, is held"
