"""A run with Ray on this machine alone, as a script to be interrupted: POOL STORE CONTROL."""

import sys
from pathlib import Path

from datacomp.filtering import filter_class, load_plugin, run_filter
from datacomp.filtering.ray_executor import RayExecutor
from datacomp.pool import open_pool

if __name__ == "__main__":
    pool, store, control = sys.argv[1:]
    load_plugin(Path(__file__).with_name("ray_toys.py"))
    chosen = filter_class("toy_long")(control=control, hold=True, deadly="p0")
    run_filter(chosen, open_pool(pool), Path(store), RayExecutor(2))
