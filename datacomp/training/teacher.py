"""The tiny pool's teacher, a CLIP that learned on pictures which the pool does not contain.

It plays the part that OpenAI's CLIP plays for DataComp's pools: its features and similarity scores
are what filters find there. As CLIP does, it has learned to read, since on a part of its pictures
the caption's words are written. So it takes a picture that says "rabbit" for one of a rabbit, and
its scores are fooled by the rows whose caption is true of the writing alone. It is trained once by
the project's own road (the tiny recipe trained longer and on stronger crops) and kept in the cache.

The trusted set is made of the same pictures without writing: clean, labelled, with the teacher's
features, and with the teacher itself in its folder. Filters that need examples of good data learn
from it.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from datacomp.files import sha256_json
from datacomp.pool import open_pool
from datacomp.pool.indexing import StartProgress, index_pool, silent
from datacomp.pool.manifest import Manifest
from datacomp.pool.tiny.build import build_tiny, require_place
from datacomp.pool.tiny.config import TinyConfig
from datacomp.training.data import whole_pool
from datacomp.training.encoder import ClipEncoder, load_encoder
from datacomp.training.loop import train
from datacomp.training.recipe import Recipe, Systems, load_scale
from datacomp.training.run import RUN, SCHEMA, read_run
from datacomp.workspace import cache_dir

# Near-duplicates, since a drawing in other colours is still of the same thing. More writing than
# this makes it know less about pictures.
POOL = TinyConfig(
    rows=12_000,
    seed=1,
    mix={"clean": 0.55, "near_duplicate": 0.36, "text_shortcut": 0.09},
    split="teacher",
    dead_share=0.0,
)
TRUSTED = replace(POOL, rows=10_000, seed=2, mix={"clean": 1.0}, labels=True)
SEED = 9


def teacher_recipe() -> Recipe:
    """The tiny recipe, longer and on stronger crops: it must know drawings it has never seen."""
    tiny = load_scale("tiny")
    return replace(
        tiny,
        scale="tiny-teacher",
        samples_seen=5 * tiny.samples_seen // 2,
        warmup_steps=36,
        crop_scale=(0.5, 1.0),
    )


def tiny_teacher(progress: StartProgress = silent) -> ClipEncoder:
    """The teacher, from the cache or trained now (two to three minutes on one thread)."""
    return load_encoder(teacher_run(progress))


def build_trusted(
    out: Path, progress: StartProgress = silent, *, config: TinyConfig = TRUSTED
) -> Manifest:
    """Build the trusted set at `out`: a pool with labels, and the teacher's run in `encoder/`.

    Raises `PoolError` if something else is at `out`.
    """
    require_place(out, config)
    run = teacher_run(progress)
    return build_tiny(out, config, load_encoder(run), progress, encoder_run=run)


def teacher_run(progress: StartProgress = silent) -> Path:
    """The folder of the teacher's finished run, in the cache.

    It is named by all that decides what the teacher is: the recipe, the seed, and the pool's
    parameters and builder, and how runs are recorded. A training that was stopped goes on where
    it was. The pool it learns from is needed only until then.
    """
    recipe = teacher_recipe()
    key = sha256_json([recipe.recipe_id, POOL.build_id, SEED, SCHEMA])[:16]
    folder = cache_dir() / "teacher" / key
    run, pool_folder = folder / "run", folder / "pool"
    if (run / RUN).exists() and read_run(run).finished:
        return run
    if require_place(pool_folder, POOL) is None:
        build_tiny(pool_folder, POOL, progress=progress)
    else:
        # Left by a training that was stopped, perhaps with an index that an older version made.
        index_pool(str(pool_folder), progress=progress)
    pool = open_pool(str(pool_folder))
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
    shutil.rmtree(pool_folder)
    return run
