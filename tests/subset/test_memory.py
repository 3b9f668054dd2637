"""Far more data than the limit: the growth of a process's peak memory, measured, is bounded.

One process does everything on little data first, so that the code that is loaded and compiled is
in its baseline; then on data of eight times the limit and more.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datacomp.subset import UID_DTYPE, Subset, read_subset, write_subset

LIMIT = 8 * 2**20
# For the chunks that the test itself makes, and what Python and the allocator keep.
SLACK = 4 * 2**20

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from datacomp.subset import UID_DTYPE
from datacomp.subset.combining import combine_files, sample_file, sort_file
from datacomp.subset.cuts import find_cut
from datacomp.subset.external import SubsetSpool

folder, limit, n = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
CHUNK = 70_000

def memory(of):
    status = Path("/proc/self/status").read_text()
    return int(status.partition(of + ":")[2].split()[0]) * 1024

def uids(chunk, kind):
    made = np.zeros(CHUNK, UID_DTYPE)
    if kind == "random":
        words = np.random.default_rng(chunk).integers(0, 2**64, (2, CHUNK), np.uint64)
        made["f0"], made["f1"] = words
    elif kind == "sorted":
        made["f1"] = np.arange(CHUNK) + chunk * CHUNK
    return made

def spool(kind, chunks):
    held = SubsetSpool(limit, folder)
    for chunk in range(chunks):
        held.add(uids(chunk, kind))
    return held.write(folder / f"{kind}.npy", {}).n

def cut(kind, chunks):
    def scan():
        for chunk in range(chunks):
            made = uids(chunk, "random")
            scores = made["f0"].astype(np.float32) if kind == "random" else np.ones(CHUNK, "f4")
            yield scores, lambda: made
    found = find_cut(scan, chunks * CHUNK // 3)
    return sum(int(found.keeps(*chunk).sum()) for chunk in scan())

def everything(chunks, wild, names):
    facts = {f"spool {kind}": spool(kind, chunks) for kind in ("random", "sorted", "equal")}
    facts |= {f"cut {kind}": cut(kind, chunks) for kind in ("random", "equal")}
    paths = [folder / name for name in names]
    for operation in ("union", "intersect", "minus"):
        facts[operation] = combine_files(operation, paths, folder / f"{operation}.npy", limit).n
    facts["sort"] = sort_file(folder / wild, folder / "sort.npy", limit).n
    facts["sample"] = sample_file(paths[0], folder / "sample.npy", limit, fraction=0.5).n
    return facts

everything(1, "little.npy", ["little.npy", "little.npy"])
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
before = memory("VmRSS")
facts = everything(n // CHUNK, "wild.npy", ["a.npy", "b.npy"])
print(json.dumps({"grown": memory("VmHWM") - before, **facts}))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux counts the peak")
def test_data_of_many_times_the_limit_is_handled_within_it(tmp_path):
    n = 70_000 * 60  # 67 MB of uids
    rng = np.random.default_rng(0)
    made = np.empty(n, UID_DTYPE)
    made["f0"], made["f1"] = rng.integers(0, 2**64, (2, n), np.uint64)
    np.save(tmp_path / "wild.npy", made)
    for name, some in (("a", made[: n // 2]), ("b", made[n // 4 :]), ("little", made[:70_000])):
        write_subset(Subset.from_uids(some), tmp_path / f"{name}.npy", {})
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(LIMIT), str(n)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    facts = json.loads(ran.stdout)
    grown = facts.pop("grown")
    assert facts == {
        **dict.fromkeys(("spool random", "spool sorted", "spool equal", "union", "sort"), n),
        **{"cut random": n // 3, "cut equal": n // 3},
        **{"intersect": n // 4, "minus": n // 4, "sample": n // 4},
    }
    assert grown < LIMIT + SLACK
    assert read_subset(tmp_path / "sort.npy").sha256 == Subset.from_uids(made).sha256
