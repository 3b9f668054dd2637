"""The tiny pool's teacher: a CLIP that learned on clean pictures which the pool does not contain.

It plays the part that OpenAI's CLIP plays for DataComp's pools: its features and similarity scores
are what filters find there. It is trained once by the project's own road (a clean pool of the
teacher's pictures, the tiny recipe trained longer and on stronger crops) and kept in the cache.
"""

from dataclasses import replace

from datacomp.files import sha256_json
from datacomp.pool import open_pool
from datacomp.pool.indexing import StartProgress, silent
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.training.data import whole_pool
from datacomp.training.encoder import ClipEncoder, load_encoder
from datacomp.training.loop import train
from datacomp.training.recipe import Recipe, Systems, load_scale
from datacomp.workspace import cache_dir

POOL = TinyConfig(rows=10_000, seed=1, mix={"clean": 1.0}, split="teacher", dead_share=0.0)
SEED = 9


def teacher_recipe() -> Recipe:
    """The tiny recipe, longer and on stronger crops: it must know drawings it has never seen."""
    tiny = load_scale("tiny")
    return replace(
        tiny,
        scale="tiny-teacher",
        samples_seen=3 * tiny.samples_seen // 2,
        warmup_steps=36,
        crop_scale=(0.5, 1.0),
    )


def tiny_teacher(progress: StartProgress = silent) -> ClipEncoder:
    """The teacher, from the cache or trained now (about two minutes on one thread).

    The cache's folder is named by the recipe and the pool's parameters. A training that was stopped
    goes on where it was.
    """
    recipe = teacher_recipe()
    key = sha256_json([recipe.recipe_id, POOL.to_json(), SEED])[:16]
    folder = cache_dir() / "teacher" / key
    run = folder / "run"
    build_tiny(folder / "pool", POOL, progress=progress)
    pool = open_pool(str(folder / "pool"))
    total = recipe.steps * recipe.global_batch_size
    with progress("training the teacher", total, unit="images") as bar:
        train(
            recipe,
            pool,
            whole_pool(pool),
            run,
            subset_name="teacher",
            seed=SEED,
            systems=Systems(checkpoint_seconds=20),
            progress=bar,
        )
    return load_encoder(run)
