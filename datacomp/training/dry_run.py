"""What a run would take: steps, operations, memory and hours; nothing is written.

Hours follow from steps on random pixels where the device is a CPU: a gradient of a few pairs and
an update, each timed. So reading is not in them. On a GPU, and where a pair costs too much to try,
they follow from the device's peak and an assumed MFU.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datacomp.errors import require
from datacomp.training.data import RunData
from datacomp.training.devices import one_thread, slurm_variables
from datacomp.training.flops import training_flops
from datacomp.training.loop import demand_order, require_implemented
from datacomp.training.peak import peak_flops
from datacomp.training.recipe import Recipe, Systems
from datacomp.training.run import Origin, describe_run, same_run
from datacomp.training.shares import demand_shares

if TYPE_CHECKING:
    from datacomp.training.memory import Memory

# Nothing was measured on a GPU: a guess from what others report for CLIP's smaller models.
ASSUMED_MFU = 0.3
# What a step of a trial may cost: a few seconds of one thread.
TRIAL_FLOPS, TRIAL_PAIRS, TRIAL_REPEATS = 2e11, 128, 3


@dataclass(frozen=True)
class Forecast:
    """What one run would take on `world` devices; `hours` is None where the peak is not known.

    `mfu` is assumed, or what came of a trial of `tried_pairs` pairs. `before` tells of a run that
    is in the folder already: `finished`, `unfinished`, or None.
    """

    steps: int
    samples: int
    flops: float
    world: int
    memory: "Memory"
    peak: float | None
    mfu: float | None
    hours: float | None
    tried_pairs: int
    before: str | None


def forecast(
    recipe: Recipe,
    data: RunData,
    origin: Origin,
    folder: Path,
    *,
    seed: int = 0,
    systems: Systems | None = None,
) -> Forecast:
    """Refuse what `train_on` would refuse before its first step, and reckon the rest.

    The number of processes is that of torchrun's or srun's environment, else one.
    """
    require("torch", "train")
    systems = systems or Systems()
    environment = {**slurm_variables(os.environ), **os.environ}
    world = int(environment.get("WORLD_SIZE", "1"))
    require_implemented(recipe)
    demand_order(recipe, data)
    demand_shares(recipe, systems, world)
    other = same_run(folder, describe_run(recipe, origin, seed, data))
    from datacomp.training.memory import expected_memory

    samples = recipe.steps * recipe.global_batch_size
    flops = training_flops(recipe) * samples
    peak = peak_flops(systems.device, recipe.precision)
    pairs, seconds = _trial(recipe, systems, world)
    if not pairs and peak:
        seconds = _recomputed(recipe, systems, world) * flops / (peak * ASSUMED_MFU * world)
    return Forecast(
        steps=recipe.steps,
        samples=samples,
        flops=flops,
        world=world,
        memory=expected_memory(recipe, systems, world),
        peak=peak,
        mfu=flops / (seconds * peak * world) if seconds and peak else None,
        hours=seconds / 3600 if seconds else None,
        tried_pairs=pairs,
        before=None if other is None else "finished" if other.finished else "unfinished",
    )


def _recomputed(recipe: Recipe, systems: Systems, world: int) -> float:
    """How many times the useful operations are done: a forward pass more for each saving."""
    share = recipe.global_batch_size // world
    cut = systems.micro_batch is not None and systems.micro_batch < share
    return 1 + (cut + systems.grad_checkpointing) / 3


def _trial(recipe: Recipe, systems: Systems, world: int) -> tuple[int, float | None]:
    """Pairs that were tried, and the seconds of a run by that; 0 and None where none was."""
    share = recipe.global_batch_size // world
    pairs = min(share, TRIAL_PAIRS, int(TRIAL_FLOPS // training_flops(recipe)))
    if systems.device != "cpu" or pairs < 2:
        return 0, None
    gradient, update = _timed_step(recipe, systems, pairs)
    cut = systems.micro_batch is not None and systems.micro_batch < share
    seconds = gradient * share / pairs * (4 / 3 if cut else 1) + update
    return pairs, seconds * recipe.steps


def _timed_step(recipe: Recipe, systems: Systems, pairs: int) -> tuple[float, float]:
    """Seconds of the gradient of so many pairs, and of an update, on one thread; the fastest."""
    import torch

    from datacomp.training.distributed import Ranks
    from datacomp.training.model import build_model, build_optimizer
    from datacomp.training.step import GradientStep
    from datacomp.training.towers import recompute_blocks
    from datacomp.training.transform import to_model_input

    with one_thread(systems.device), torch.random.fork_rng(devices=[]):
        model = build_model(recipe).to(memory_format=torch.channels_last).train()
        recompute_blocks(model, systems.grad_checkpointing)
        optimizer = build_optimizer(model, recipe)
        bf16 = recipe.precision == "amp_bf16"
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=bf16)
        gradient = GradientStep(model, Ranks(), None, autocast, trimmed=False)
        side, words = recipe.image_size, int(recipe.model["text_cfg"]["vocab_size"])
        pixels = torch.randint(0, 256, (pairs, side, side, 3), dtype=torch.uint8)
        tokens = torch.randint(1, words, (pairs, recipe.context_length))
        lengths = torch.full((pairs,), recipe.context_length)
        times = []
        for _ in range(TRIAL_REPEATS):
            start = time.perf_counter()
            gradient(to_model_input(pixels), tokens, lengths)
            middle = time.perf_counter()
            optimizer.step()
            times.append((middle - start, time.perf_counter() - middle))
    return min(each for each, _ in times), min(each for _, each in times)
