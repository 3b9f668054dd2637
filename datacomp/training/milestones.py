"""Milestones: the weights that a long run had on its way, kept for whoever asks how it learned.

They stand at fifths of the steps, the same for everybody who trains the recipe, so that runs can
be compared half way too. The last fifth is the result itself.
"""

from pathlib import Path

from datacomp.training.recipe import Recipe

MILESTONES = "milestones"
PARTS = 5
# From DataComp's small scale on, a run lasts hours. The tiny ones are made by the dozen.
LONG_RUN_SAMPLES = 10_000_000


def milestone_steps(recipe: Recipe) -> tuple[int, ...]:
    """After how many steps the weights are kept, where they are."""
    steps = {recipe.steps * part // PARTS for part in range(1, PARTS)}
    return tuple(sorted(steps - {0}))


def keeps_milestones(recipe: Recipe, wanted: bool | None) -> bool:
    """Whether a run keeps them: as is wanted, or if it is a long one."""
    return recipe.samples_seen >= LONG_RUN_SAMPLES if wanted is None else wanted


def milestone_path(folder: Path, step: int) -> Path:
    """Where a run keeps the weights that it had after `step` steps."""
    return folder / MILESTONES / f"{step}.safetensors"
