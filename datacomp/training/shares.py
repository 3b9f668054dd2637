"""Whether a batch divides: into equal shares of processes, and those into micro-batches."""

from datacomp.errors import UsageError
from datacomp.training.recipe import Recipe, Systems


def demand_shares(recipe: Recipe, systems: Systems, world: int) -> None:
    """`UsageError` unless `world` processes and the micro-batch divide the batch; says what does.

    The batch is part of the recipe, so it is never rounded.
    """
    size, micro = recipe.global_batch_size, systems.micro_batch
    if size % world:
        raise UsageError(
            f"a batch of {size:,} cannot be shared by {world:,} processes; "
            f"nearest that divide it: {_nearest(size, world)}"
        )
    share = size // world
    if micro is None or micro == share:
        return
    if share % micro:
        whose = f"a batch of {size:,}" if world == 1 else f"{share:,} rows a process"
        raise UsageError(
            f"{whose} cannot be cut into micro-batches of {micro:,}; "
            f"nearest that divide: {_nearest(share, micro)}"
        )
    # A list of layers makes open_clip build a ResNet.
    if isinstance(recipe.model["vision_cfg"].get("layers"), list):
        raise UsageError(
            f"the image tower of {recipe.scale!r} normalises over the batch, which cannot be cut "
            "into micro-batches: leave --micro-batch out"
        )


def _nearest(whole: int, parts: int) -> str:
    """The divisors of `whole` on both sides of `parts`."""
    divisors = [n for n in range(1, whole + 1) if whole % n == 0]
    below = [n for n in divisors if n < parts]
    above = [n for n in divisors if n > parts]
    return ", ".join(f"{n:,}" for n in (*below[-1:], *above[:1]))
