"""The training loop, whole, in the order in which it happens.

One step is one optimizer update on one global batch. Every random number is a function of
(seed, position), so a run that is stopped at any moment and started again ends with the same
bytes as one that was not (on one machine, on the CPU, in float32).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datacomp.errors import TrainingError, require
from datacomp.pool import Pool
from datacomp.progress import NoProgress, Progress
from datacomp.subset import Subset
from datacomp.training import sampler, transform
from datacomp.training.checkpoint import RESUME, WEIGHTS, load_resume, save_resume, save_weights
from datacomp.training.data import OnError, TrainingData, open_data
from datacomp.training.metrics_log import ChainedLog, is_logged
from datacomp.training.model import (
    MAX_LOGIT_SCALE,
    build_model,
    build_optimizer,
    build_tokenizer,
    learning_rate_at,
)
from datacomp.training.recipe import Recipe, Systems
from datacomp.training.run import (
    METRICS,
    RunRecord,
    describe_run,
    finish_run,
    log_origin,
    start_run,
)
from datacomp.training.transform import to_model_input

# What this loop can do for each field of a recipe that names a method.
IMPLEMENTED = {
    "precision": ("fp32", "amp_bf16"),
    "sampler": (sampler.VERSION,),
    "augmentation": (transform.VERSION,),
    "loss": ("clip/1",),
    "optimizer": ("adamw",),
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
) -> RunRecord:
    """Train `recipe` on `subset` into `folder`, from its last checkpoint if it has one.

    A finished run is verified and returned as it is. Progress counts samples seen. Raises
    `TrainingError` if the recipe names a method that is not implemented, the folder holds another
    run, a sample is broken (and `on_error` is STOP), or the loss is not finite.
    """
    require_implemented(recipe)
    data = open_data(pool, subset, on_error)
    wanted = describe_run(recipe, pool, subset, subset_name, seed, data)
    record = start_run(folder, recipe, wanted)
    if not record.finished:
        with _reproducible(systems or Systems()) as systems:
            log_head = _train(recipe, data, folder, record, systems, progress or NoProgress())
        record = finish_run(folder, record, data.broken, log_head)
        (folder / RESUME).unlink(missing_ok=True)
    return record


def require_implemented(recipe: Recipe) -> None:
    """Refuse a recipe whose id would promise another computation than this loop's."""
    for name, known in IMPLEMENTED.items():
        if (value := getattr(recipe, name)) not in known:
            raise TrainingError(
                f"recipe {recipe.scale!r} asks for {name} {value!r}, which this version does not "
                f"have; it has: {', '.join(known)}"
            )


def _train(
    recipe: Recipe,
    data: TrainingData,
    folder: Path,
    record: RunRecord,
    systems: Systems,
    progress: Progress,
) -> str:
    torch, open_clip = require("torch", "train"), require("open_clip", "train")
    device = torch.device(systems.device)
    # Channels last: the pixels come so, and convolutions on the CPU are half again as fast.
    model = build_model(recipe).to(device, memory_format=torch.channels_last).train()
    model.set_grad_checkpointing(systems.grad_checkpointing)
    tokenizer, loss_fn = build_tokenizer(recipe), open_clip.ClipLoss()
    optimizer = build_optimizer(model, recipe)

    start = 0
    if (folder / RESUME).exists():
        state = load_resume(folder / RESUME, model, optimizer)
        start = int(state["step"])
        data.broken.update(state["broken"])
        progress.advance(start * recipe.global_batch_size, "resumed")

    saved = logged = time.monotonic()
    waited, logged_step = 0.0, start
    batches = data.batches(recipe, record.seed, start, systems.decode_threads)
    with ChainedLog(folder / METRICS, origin=log_origin(record), before_step=start) as log:
        for step in range(start, recipe.steps):
            before = time.monotonic()
            batch = next(batches)
            waited += time.monotonic() - before

            pixels = to_model_input(torch.from_numpy(batch.pixels).to(device))
            tokens = tokenizer(batch.captions).to(device)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(step, recipe)
            with torch.autocast(
                device.type, torch.bfloat16, enabled=recipe.precision == "amp_bf16"
            ):
                loss = loss_fn(**model(pixels, tokens))
            # Before the update: a run that diverged keeps its last sound checkpoint.
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss.item()} at step {step + 1} of {recipe.steps}; nothing was "
                    f"updated. The state before is in {folder / RESUME}, if one was saved."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)

            done, now = step + 1, time.monotonic()
            progress.advance(recipe.global_batch_size, f"loss {loss.item():.3f}")
            if is_logged(step, recipe.steps):
                elapsed = now - logged
                log.write(
                    step,
                    samples=done * recipe.global_batch_size,
                    loss=loss.item(),
                    learning_rate=learning_rate_at(step, recipe),
                    logit_scale=model.logit_scale.exp().item(),
                    images_per_second=(done - logged_step) * recipe.global_batch_size / elapsed,
                    data_wait_share=waited / elapsed,
                )
                logged, logged_step, waited = now, done, 0.0
            if now - saved >= systems.checkpoint_seconds and done < recipe.steps:
                save_resume(
                    folder / RESUME, model, optimizer, {"step": done, "broken": data.broken}
                )
                saved = time.monotonic()
    save_weights(folder / WEIGHTS, model, {"recipe_id": recipe.recipe_id})
    return log.head


@contextmanager
def _reproducible(systems: Systems) -> Iterator[Systems]:
    """One thread on the CPU: sums have one order, and two busy threads are slower than one."""
    torch = require("torch", "train")
    threads = torch.get_num_threads()
    if systems.device == "cpu":
        torch.set_num_threads(1)
    try:
        yield systems
    finally:
        torch.set_num_threads(threads)
