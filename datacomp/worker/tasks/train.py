"""A job of kind `train`: the recipe of a scale on a subset of a pool, or on a team's own data.

Inputs: `byod`, if the pool is what those addresses lead to; `subset`, without which all of the pool
is trained on. Goes on from the last checkpoint that an earlier attempt left on this machine.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacomp.errors import DatacompError, DivergedError, ForeignSubsetError, SubsetError
from datacomp.worker.faults import UserFault
from datacomp.worker.orders import Made, Order
from datacomp.worker.telling import Telling

if TYPE_CHECKING:
    from datacomp.pool import Pool
    from datacomp.subset import Subset
    from datacomp.training import Recipe, RunRecord
    from datacomp.training.data import RunData
    from datacomp.training.run import Origin

RUN = "run"


def train(order: Order, work: Path, telling: Telling) -> Sequence[Made]:
    """The weights, the run's record and its log, and a profile of both.

    `UserFault` if the subset is none, names uids that the pool does not have, or is not the whole
    pool though it was said to be; if own data have no picture; if the loss is not finite.
    """
    from datacomp.pool import open_pool
    from datacomp.training import Systems, load_scale, train_on
    from datacomp.training.checkpoint import WEIGHTS
    from datacomp.training.run import METRICS
    from datacomp.training.run import RUN as RECORD

    recipe = load_scale(order.params["scale"], order.params.get("variant"))
    facts: dict[str, Any] = {}
    if "byod" in order.inputs:
        from datacomp.worker.tasks.own_data import own_pool

        own = own_pool(order, work, telling)
        pool, facts = own.pool, {"own_data": own.facts}
    else:
        telling.stage("open pool")
        assert order.pool is not None, "a train job without own data names its pool"
        pool = open_pool(order.pool)
    data, origin = _data(order, recipe, pool, work)
    total = recipe.steps * recipe.global_batch_size
    try:
        with telling.open_progress("train", total, unit="images") as progress:
            record = train_on(
                recipe,
                data,
                origin,
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
    return [
        Made("checkpoint", work / RUN / WEIGHTS, {**_facts(record), **facts}),
        Made("run", work / RUN / RECORD),
        Made("metrics", work / RUN / METRICS),
        *_profile(order, pool, work, telling),
    ]


def _profile(order: Order, pool: "Pool", work: Path, telling: Telling) -> Sequence[Made]:
    """What the page shows of subset and run; a training does not fail for want of it."""
    from datacomp.files import write_json
    from datacomp.submission.curve import curve_of
    from datacomp.submission.portrait import portray, rows_to_read
    from datacomp.submission.profile import SCHEMA, Profile
    from datacomp.training.devices import is_first_process
    from datacomp.training.metrics_log import read_metrics
    from datacomp.training.run import METRICS

    if not is_first_process():
        return []
    portrait = None
    if "subset" in order.inputs and "byod" not in order.inputs:
        try:
            with telling.open_progress("portray", rows_to_read(pool), unit="rows") as progress:
                portrait = portray(pool, order.input("subset"), progress=progress)
        except (DatacompError, OSError) as error:
            sys.stderr.write(f"no portrait of the subset: {error}\n")
    path = work / "profile.json"
    curve = curve_of(read_metrics(work / RUN / METRICS))
    write_json(path, Profile(schema=SCHEMA, portrait=portrait, curve=curve).as_json())
    return [Made("profile", path)]


def _data(order: Order, recipe: "Recipe", pool: "Pool", work: Path) -> "tuple[RunData, Origin]":
    """What is trained on, open, and what it is to the run's record."""
    from datacomp.training import OnError
    from datacomp.training.data import open_data
    from datacomp.training.run import origin_of
    from datacomp.training.sequential import VERSION

    try:
        subset = _subset(order, pool)
        data = open_data(pool, subset, OnError.SKIP)
    except SubsetError as error:
        raise UserFault("subset_unreadable", str(error)) from error
    except ForeignSubsetError as error:
        raise UserFault("subset_not_in_pool", str(error)) from error
    if recipe.sampler == VERSION:
        return _in_sequence(order, pool, subset, work)
    return data, origin_of(pool, subset, order.params["subset_name"])


def _subset(order: Order, pool: "Pool") -> "Subset":
    from datacomp.subset import read_subset
    from datacomp.training import whole_pool

    if "subset" in order.inputs:
        return read_subset(order.input("subset"))
    subset = whole_pool(pool)
    if order.params.get("whole_pool", subset.sha256) != subset.sha256:
        raise UserFault(
            "subset_not_whole_pool",
            f"the run's subset is not the whole pool, which has {subset.n:,} entries and the "
            f"sha256 {subset.sha256}: hand it in with the subset's file",
        )
    return subset


def _in_sequence(
    order: Order, pool: "Pool", subset: "Subset", work: Path
) -> "tuple[RunData, Origin]":
    """For a variant that reads tars from front to back: those of this subset, made here."""
    from datacomp.shards import Missing, reshard
    from datacomp.training import OnError
    from datacomp.training.sources import SourceSpec, open_sources, origin_of_sources
    from datacomp.training.stream import SequentialData
    from datacomp.worker.tasks.together import once

    tars = work / "tars"
    once(
        order, work, "resharded", lambda: reshard(pool, subset, tars, missing=Missing.SKIP).written
    )
    sources = open_sources([SourceSpec(str(tars))])
    origin, dead_links = origin_of_sources(sources)
    subset_record = replace(origin.subset, name=order.params["subset_name"])
    origin = replace(origin, subset=subset_record)
    return SequentialData(sources, dead_links, OnError.SKIP), origin


def _facts(record: "RunRecord") -> Mapping[str, Any]:
    return {
        "recipe_id": record.recipe_id,
        "pool_id": record.pool_id,
        "subset_sha256": record.subset.sha256,
        "seed": record.seed,
        "samples_seen": record.samples_seen,
        "dead_links": record.dead_links,
        "broken_samples": len(record.broken_samples),
        "resumes": record.resumes,
    }
