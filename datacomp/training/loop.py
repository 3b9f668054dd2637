"""The training loop, whole, in the order in which it happens.

One step is one optimizer update on one global batch. Every random number is a function of
(seed, position), so a run that is stopped at any moment and started again ends with the same
bytes as one that was not (on one machine, on the CPU, in float32).
"""

import json
import math
import os
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from datacomp.errors import DivergedError, StoppedError, TrainingError, require
from datacomp.pool import Pool
from datacomp.progress import NoProgress, Progress
from datacomp.subset import Subset
from datacomp.training import sampler, sequential, transform
from datacomp.training.checkpoint import RESUME
from datacomp.training.data import OnError, RunData, open_data
from datacomp.training.devices import one_thread, slurm_variables
from datacomp.training.metrics_log import ChainedLog, NoLog, is_logged
from datacomp.training.model import (
    ADAMW,
    MAX_LOGIT_SCALE,
    STABLE_ADAMW,
    build_model,
    build_optimizer,
    build_tokenizer,
    learning_rate_at,
)
from datacomp.training.pace import Pace
from datacomp.training.recipe import Recipe, Systems
from datacomp.training.run import (
    METRICS,
    Origin,
    RunRecord,
    describe_run,
    finish_run,
    log_origin,
    origin_of,
    read_run,
    start_run,
)
from datacomp.training.saver import Saved, Saver, load_saved, sole_owner
from datacomp.training.shares import demand_shares
from datacomp.training.signals import stop_signals
from datacomp.training.sinks import Sinks
from datacomp.training.transform import to_model_input

if TYPE_CHECKING:
    from datacomp.training.distributed import Ranks

# What this loop can do for each field of a recipe that names a method.
IMPLEMENTED = {
    "precision": ("fp32", "amp_bf16"),
    "sampler": (sampler.VERSION, sequential.VERSION),
    "augmentation": (transform.VERSION,),
    "loss": ("clip/1",),
    "optimizer": (ADAMW, STABLE_ADAMW),
    "schedule": ("linear-warmup-cosine/1",),
}


def train(
    recipe: Recipe,
    pool: Pool,
    subset: Subset,
    folder: Path,
    *,
    subset_name: str,
    seed: int = 0,
    systems: Systems | None = None,
    on_error: OnError = OnError.STOP,
    progress: Progress | None = None,
    sinks: Sinks | None = None,
) -> RunRecord:
    """`train_on` a subset of a pool, read by uid; `on_error` is what a broken sample does."""
    require_implemented(recipe)
    data, origin = open_data(pool, subset, on_error), origin_of(pool, subset, subset_name)
    return train_on(
        recipe,
        data,
        origin,
        folder,
        seed=seed,
        systems=systems,
        progress=progress,
        sinks=sinks,
    )


def train_on(
    recipe: Recipe,
    data: RunData,
    origin: Origin,
    folder: Path,
    *,
    seed: int = 0,
    systems: Systems | None = None,
    progress: Progress | None = None,
    sinks: Sinks | None = None,
) -> RunRecord:
    """Train `recipe` on `data` into `folder`, from its last checkpoint if it has one.

    A finished run is verified and returned as it is. Progress counts samples seen; the first
    process starts `sinks` and sends them the log's lines. Raises `TrainingError` if the recipe
    names a method that is not implemented or another order of samples, the folder holds another
    run or another process has it, a sample is broken, the loss is not finite (`DivergedError`), or
    a checkpoint cannot be written. Raises `StoppedError` after the step in which a signal asked any
    of the processes to stop (and `systems` says to listen), once the state after it is saved.
    """
    require_implemented(recipe)
    demand_order(recipe, data)
    require("torch", "train")
    from datacomp.training.distributed import launched_ranks

    os.environ.update(slurm_variables(os.environ))
    systems = systems or Systems()
    with ExitStack() as held:
        ranks = held.enter_context(launched_ranks(systems.device))
        held.enter_context(one_thread(systems.device))
        demand_shares(recipe, systems, ranks.world)
        if ranks.rank == 0:
            held.enter_context(sole_owner(folder))
            start_run(folder, recipe, describe_run(recipe, origin, seed, data))
        ranks.wait()
        record = read_run(folder)
        if not record.finished:
            progress, sinks = progress or NoProgress(), sinks or Sinks()
            if ranks.rank == 0:
                sinks.start(folder, recipe, record)
            done = _train(recipe, data, folder, record, systems, ranks, progress, sinks)
            if ranks.rank == 0:
                finish_run(folder, done)
        if ranks.rank == 0 and (folder / RESUME).exists():
            (folder / RESUME).unlink()
        ranks.wait()
    return read_run(folder)


def require_implemented(recipe: Recipe) -> None:
    """Refuse a recipe whose id would promise another computation than this loop's."""
    for name, known in IMPLEMENTED.items():
        if (value := getattr(recipe, name)) not in known:
            raise TrainingError(
                f"recipe {recipe.scale!r} asks for {name} {value!r}, which this version does not "
                f"have; it has: {', '.join(known)}"
            )


def demand_order(recipe: Recipe, data: RunData) -> None:
    """Refuse data that come in another order than the recipe's."""
    if recipe.sampler != data.sampler:
        raise TrainingError(
            f"the recipe's order of samples is {recipe.sampler!r}, the data give {data.sampler!r}. "
            "Tars, of --data-dir, are read in sequence, and want a variant for that, such as "
            "sequential; a pool is read by uid, and wants one that is not."
        )


def _train(
    recipe: Recipe,
    data: RunData,
    folder: Path,
    record: RunRecord,
    systems: Systems,
    ranks: "Ranks",
    progress: Progress,
    sinks: Sinks,
) -> RunRecord:
    torch = require("torch", "train")
    from datacomp.training.batch_norm import share_statistics
    from datacomp.training.feed import feed
    from datacomp.training.step import GradientStep
    from datacomp.training.towers import compile_blocks, recompute_blocks
    from datacomp.training.update import shared_update

    device = torch.device(systems.device)
    # Channels last: the pixels come so, and convolutions on the CPU are half again as fast.
    model = build_model(recipe).to(device, memory_format=torch.channels_last).train()
    recompute_blocks(model, systems.grad_checkpointing)
    if systems.compile:
        compile_blocks(model)
    if ranks.world > 1:
        share_statistics(model, ranks)
    optimizer, tokenizer = build_optimizer(model, recipe), build_tokenizer(recipe)
    bf16 = recipe.precision == "amp_bf16"
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16)
    # One process on the CPU is the definition: it computes even what cannot matter.
    trimmed = ranks.world > 1 or device.type != "cpu"
    gradients = GradientStep(model, ranks, systems.micro_batch, autocast, trimmed=trimmed)

    run = log_origin(record)
    last = load_saved(folder, recipe, run, model, optimizer)
    if start := last.step:
        data.broken.update(last.broken)
        progress.advance(start * recipe.global_batch_size, "resumed")
    update = shared_update(optimizer, ranks)

    saved, pace = time.monotonic(), Pace(recipe, systems.device, ranks.world, start)
    part = (ranks.rank, ranks.world)
    batches = data.batches(recipe, record.seed, start, systems.decode_threads, part)
    fed = feed(batches, tokenizer, device)
    saver = Saver(folder, recipe, model, optimizer, run, last.milestones, systems.milestones)
    log = _open_log(folder, run, last, ranks, sinks)
    with log, saver, stop_signals(systems.stop_at_signals) as stop:
        for step in range(start, recipe.steps):
            with pace.waiting():
                batch = next(fed)

            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(step, recipe)
            loss = gradients(to_model_input(batch.pixels), batch.tokens, batch.lengths)
            pace.read(gradients.tokens_read(batch.lengths), len(batch.lengths))
            # Before the update: a run that diverged keeps its last sound checkpoint.
            if not math.isfinite(loss):
                raise DivergedError(
                    f"the loss is {loss} at step {step + 1} of {recipe.steps}; nothing was "
                    f"updated. The state before is in {folder / RESUME}, if one was saved."
                )
            update()
            with torch.no_grad():
                model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)

            done = step + 1
            progress.advance(recipe.global_batch_size, f"loss {loss:.3f}")
            if is_logged(step, recipe.steps):
                log.write(
                    step,
                    samples=done * recipe.global_batch_size,
                    loss=loss,
                    learning_rate=learning_rate_at(step, recipe),
                    logit_scale=model.logit_scale.exp().item(),
                    **pace.lap(done),
                )
            due = ranks.rank == 0 and time.monotonic() - saved >= systems.checkpoint_seconds
            due, asked = ranks.any(due, stop.asked)
            if done < recipe.steps and (due or asked or saver.is_milestone(done)):
                broken = _joined(data.broken, ranks)
                if ranks.rank == 0:
                    saver.save(done, log_head=log.head, broken=broken)
                saved = time.monotonic()
                if asked:
                    saver.wait()
                    ranks.wait()
                    raise StoppedError(
                        f"stopped and saved after step {done:,} of {recipe.steps:,}; run the same "
                        "command to go on"
                    )
            saver.check()
        broken = _joined(data.broken, ranks)
        if ranks.rank == 0:
            saver.finish()
    return replace(record, broken_samples=broken, log_head=log.head, milestones=saver.milestones)


def _open_log(
    folder: Path, run: str, last: Saved, ranks: "Ranks", sinks: Sinks
) -> "ChainedLog | NoLog":
    if ranks.rank:
        return NoLog()
    return ChainedLog(
        folder / METRICS, origin=run, before_step=last.step, head=last.log_head, also=sinks.log
    )


def _joined(broken: dict[str, str], ranks: "Ranks") -> dict[str, str]:
    """What all processes replaced."""
    parts = ranks.join(json.dumps(broken, sort_keys=True).encode())
    return {uid: told for part in parts for uid, told in json.loads(part).items()}
