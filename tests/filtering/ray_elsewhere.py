"""A worker on a node that lacks the plugin file, as a script: PLUGIN POOL STORE. Prints JSON.

The node is a fresh process; the plugin file is gone before it begins.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from datacomp.filtering import explain, filter_class, load_plugin
from datacomp.filtering.ray_executor import order_for
from datacomp.filtering.ray_worker import RayWorker
from datacomp.pool import open_pool


def take_part(order, jobs):
    """What a node says of an order, and the errors of its jobs."""
    worker = RayWorker()
    problem = worker.open(order)
    done = [] if problem else [outcome for job in jobs for outcome in worker.attempt(job)]
    return problem, [outcome.error for outcome in done]


def main(plugin, pool_url, store_dir):
    load_plugin(plugin)
    plan = explain(filter_class("toy_long")(), open_pool(pool_url), store_dir)
    order = order_for(plan.chosen, plan.pool, plan.store, "cpu")
    (store_dir / order.token).write_text(order.secret)
    plugin.unlink()
    cases = {
        "fine": order,
        "other store": replace(order, token="not-there"),
        "other pool": replace(order, pool="not-this"),
        "other step": replace(order, steps=(("watched", "not-this"),)),
    }
    said = {}
    for name, case in cases.items():
        with ProcessPoolExecutor(1, get_context("spawn")) as node:
            said[name] = node.submit(take_part, case, plan.jobs()).result()
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:]))
