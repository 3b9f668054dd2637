"""A job of kind `train`: the recipe of a scale on a subset of a pool; inputs: subset.

Goes on from the last checkpoint that an earlier attempt left on this machine.
"""

from collections.abc import Sequence
from pathlib import Path

from datacomp.errors import DivergedError, ForeignSubsetError, SubsetError
from datacomp.worker.faults import UserFault
from datacomp.worker.orders import Made, Order
from datacomp.worker.telling import Telling

RUN = "run"


def train(order: Order, work: Path, telling: Telling) -> Sequence[Made]:
    """The weights, the run's record and its log.

    `UserFault` if the subset is none, names uids that the pool does not have, or the loss is not
    finite.
    """
    from datacomp.pool import open_pool
    from datacomp.subset import read_subset
    from datacomp.training import OnError, Systems, load_scale, train_on
    from datacomp.training.checkpoint import WEIGHTS
    from datacomp.training.data import open_data
    from datacomp.training.run import METRICS, origin_of
    from datacomp.training.run import RUN as RECORD

    telling.stage("open pool")
    recipe = load_scale(order.params["scale"], order.params.get("variant"))
    assert order.pool is not None, "a train job names its pool"
    pool = open_pool(order.pool)
    try:
        subset = read_subset(order.input("subset"))
        data = open_data(pool, subset, OnError.SKIP)
    except SubsetError as error:
        raise UserFault("subset_unreadable", str(error)) from error
    except ForeignSubsetError as error:
        raise UserFault("subset_not_in_pool", str(error)) from error
    total = recipe.steps * recipe.global_batch_size
    try:
        with telling.open_progress("train", total, unit="images") as progress:
            record = train_on(
                recipe,
                data,
                origin_of(pool, subset, order.params["subset_name"]),
                work / RUN,
                seed=order.params["seed"],
                systems=Systems(
                    device=order.device,
                    decode_threads=order.decode_threads,
                    checkpoint_seconds=order.checkpoint_seconds,
                    stop_at_signals=True,
                ),
                progress=progress,
            )
    except DivergedError as error:
        raise UserFault("loss_not_finite", str(error)) from error
    facts = {
        "recipe_id": record.recipe_id,
        "pool_id": record.pool_id,
        "subset_sha256": record.subset.sha256,
        "seed": record.seed,
        "samples_seen": record.samples_seen,
        "dead_links": record.dead_links,
        "broken_samples": len(record.broken_samples),
        "resumes": record.resumes,
    }
    return [
        Made("checkpoint", work / RUN / WEIGHTS, facts),
        Made("run", work / RUN / RECORD),
        Made("metrics", work / RUN / METRICS),
    ]
