"""What methods need before they can select: good examples, and models trained on them.

Every need is made once in the demo's folder; one that was stopped goes on where it was.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from datacomp.demo.training import CHECKPOINT_SECONDS
from datacomp.errors import UnknownNameError
from datacomp.files import write_bytes
from datacomp.pool import Pool, open_pool
from datacomp.pool.indexing import StartProgress
from datacomp.training import Recipe, Systems, load_scale, train, whole_pool
from datacomp.training.teacher import build_trusted

EARLY_RUNS = 3
EARLY = 4
"""How many times shorter than the scale's are the runs that are early in training."""


@dataclass(frozen=True)
class Site:
    """Where needs are made, on which pool, by whose recipe."""

    folder: Path
    pool: Pool
    scale: str
    progress: StartProgress


def provide(names: Iterable[str], site: Site) -> Mapping[str, str]:
    """What the needs of these names are in a selection, made where they are not: their paths."""
    return {name: _maker(name)(site) for name in names}


def trusted(site: Site) -> str:
    """Clean, labelled pictures that neither the pool nor the evaluation holds, as a pool."""
    place = site.folder / "pools" / "trusted"
    build_trusted(place, site.progress)
    return str(place)


def names(site: Site) -> str:
    """A file of the trusted set's class names, one a line."""
    pool = open_pool(trusted(site))
    found = {label for part in pool.parts for label in pool.read(part, ["label"])[0].to_pylist()}
    place = site.folder / "names.txt"
    write_bytes(place, "".join(f"{name}\n" for name in sorted(found)).encode())
    return str(place)


def dfn(site: Site) -> str:
    """A data filtering network (arXiv 2309.17425): the scale's recipe, trained on the trusted set.

    It is what `datacomp train --pool pools/trusted` makes.
    """
    return _trained("dfn", load_scale(site.scale), open_pool(trusted(site)), 0, site)


def early(site: Site) -> str:
    """Runs on the whole pool that ended early in training, as EL2N (arXiv 2107.07075) asks for."""
    recipe = load_scale(site.scale)
    recipe = replace(recipe, scale=f"{site.scale}-early", samples_seen=recipe.samples_seen // EARLY)
    runs = (_trained(f"early{seed}", recipe, site.pool, seed, site) for seed in range(EARLY_RUNS))
    return ",".join(runs)


MAKERS: Mapping[str, Callable[[Site], str]] = {
    "trusted": trusted,
    "names": names,
    "dfn": dfn,
    "early": early,
}


def _maker(name: str) -> Callable[[Site], str]:
    if name not in MAKERS:
        raise UnknownNameError("need of a method", name, MAKERS)
    return MAKERS[name]


def _trained(name: str, recipe: Recipe, pool: Pool, seed: int, site: Site) -> str:
    run = site.folder / "runs" / f"{site.scale}-{name}"
    with site.progress(f"train {name}", recipe.samples_seen, unit="images") as bar:
        train(
            recipe,
            pool,
            whole_pool(pool),
            run,
            subset_name="whole_pool",
            seed=seed,
            systems=Systems(checkpoint_seconds=CHECKPOINT_SECONDS),
            progress=bar,
        )
    return str(run)
