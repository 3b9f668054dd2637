"""The filters that look for names in captions, all of a run, against reading the captions."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
from bench import Bench

from datacomp.filtering import Filter, run_filter
from datacomp.filtering.contract import Host
from datacomp.pool import Pool
from datacomp_filters.concept_frequency import ConceptFrequency
from datacomp_filters.metaclip import MetaClip, MetadataEntries
from datacomp_filters.targeted_retrieval import TargetedRetrieval
from filters import GOLDEN, caption_pool

ENTRIES, CLASSES = 500_000, 1_000
READING = "reading the captions"


def benches(folder: Path) -> Iterator[Bench]:
    """One core each; nothing is stored beforehand, and the entries are read again in each run."""
    pool = caption_pool(folder / "pool")
    metadata, classes = entries(pool, folder)
    stores = (folder / f"scores{number}" for number in count())

    def read() -> object:
        return [pool.read(part, ["text"]) for part in pool.parts]

    step = MetadataEntries(ignore_case=False, metadata=metadata)
    batches = [batch for part in pool.parts for batch in pool.batches(part, ["text"])]
    find = step.open(Host())
    yield Bench("finding 500,000 entries", READING, lambda: list(map(find, batches)), read)
    chosen: tuple[Filter, ...] = (
        MetaClip(metadata=metadata),
        TargetedRetrieval(classes=classes, by="text", per_class=100),
        ConceptFrequency(concepts=classes, wordnet=str(GOLDEN / "wordnet")),
    )
    for one in chosen:
        yield Bench(f"{one.name}, all", READING, run(one, pool, stores), read)


def entries(pool: Pool, folder: Path) -> tuple[str, str]:
    """Files of metadata and of classes: words of the captions, pairs of them, and made-up ones."""
    texts = pool.read(pool.parts[0], ["text"])["text"].to_pylist()
    words = sorted({word for text in texts for word in text.split()})
    rng = np.random.default_rng(0)
    pairs = [f"{a} {b}" for a, b in rng.choice(words, (ENTRIES // 3, 2))]
    made_up = [f"{word}{number}" for number, word in enumerate(rng.choice(words, ENTRIES))]
    metadata, classes = folder / "metadata.json", folder / "classes.txt"
    metadata.write_text(json.dumps([*words, *pairs, *made_up][:ENTRIES]))
    classes.write_text("\n".join([*words, *pairs][:CLASSES]))
    return str(metadata), str(classes)


def run(chosen: Filter, pool: Pool, stores: Iterator[Path]) -> Callable[[], object]:
    """A run of a filter, each time with another store."""
    return lambda: run_filter(chosen, pool, next(stores)).subset
