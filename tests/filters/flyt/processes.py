"""The same steps as one, two and four processes; run by test_distributed.py, not by pytest."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import torch
from torch import Tensor

from datacomp.training.distributed import Ranks
from datacomp_filters.flyt.config import FlytConfig
from datacomp_filters.flyt.downstream import Labelled
from datacomp_filters.flyt.heads import GluHead, LinearMixer
from datacomp_filters.flyt.optimizer import AdamW
from datacomp_filters.flyt.references import EmbeddingReference, OpenClipReference
from datacomp_filters.flyt.step import Pairs, Stepper
from datacomp_filters.flyt.training import train_flyt
from support.worlds import main

OPTIMIZER = AdamW(0.9, 0.98, 1e-6, 0.2)
# Rows of 16, images of 12 and classes of 4 for each process, where shares are not even.
RAGGED = {
    1: ((16,), (12,), (4,)),
    2: ((3, 13), (12, 0), (1, 3)),
    4: ((1, 7, 3, 5), (5, 1, 0, 6), (0, 2, 0, 2)),
}


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def tokens(n: int, seed: int) -> Tensor:
    found = torch.randint(1, 63, (n, 8), generator=torch.Generator().manual_seed(seed))
    found[:, -1] = 63
    return found


def even(n: int, ranks: Ranks) -> slice:
    return slice(*ranks.share(n))


def ragged(n: int, ranks: Ranks) -> slice:
    sizes = next(sizes for sizes in RAGGED[ranks.world] if sum(sizes) == n)
    first = sum(sizes[: ranks.rank])
    return slice(first, first + sizes[ranks.rank])


def scenarios(ranks: Ranks) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of all that must not depend on the number of processes."""
    for name, cut in (("even", even), ("ragged", ragged)):
        stepper = Stepper(
            EmbeddingReference(8, 8, width=6, hidden=3, dtype=torch.float64),
            GluHead(8, 8, dtype=torch.float64),
            OPTIMIZER,
            micro_batch=4,
            ranks=ranks,
        )
        images, texts = draw(16, 8, seed=0), draw(16, 8, seed=1)
        pairs = (images, texts, torch.cat([images, texts], 1))
        tasks = [
            (draw(12, 8, seed=2 + k), torch.arange(12) % 4, draw(4, 8, seed=5 + k))
            for k in range(2)
        ]
        yield from steps(name, stepper, pairs, tasks, cut)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16}
        text = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
        model = open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text).double()
    mixer = LinearMixer(torch.zeros(3).double(), torch.ones(3).double())
    stepper = Stepper(OpenClipReference(model), mixer, OPTIMIZER, micro_batch=3, ranks=ranks)
    pairs = (draw(16, 3, 32, 32, seed=0), tokens(16, 1), draw(16, 3, seed=2))
    tasks = [(draw(12, 3, 32, 32, seed=3), torch.arange(12) % 4, tokens(4, 4))]
    yield from steps("open_clip", stepper, pairs, tasks, ragged)


def steps(
    name: str, stepper: Stepper, pairs: tuple, tasks: list[tuple], cut: object
) -> Iterator[tuple[str, np.ndarray]]:
    ranks = stepper.ranks
    state = stepper.start()
    mine = Pairs(*(rows[cut(16, ranks)] for rows in pairs))
    shares = [
        Labelled(images[cut(12, ranks)], labels[cut(12, ranks)], classes[cut(4, ranks)])
        for images, labels, classes in tasks
    ]
    before = stepper.downstream_loss(state, shares)
    for _ in range(2):
        state, found = stepper.step(state, mine, shares, 1e-2, 1e-2)
    named = stepper.reference_layout.split(state.reference.values)
    values = {
        "reference": state.reference.values,
        "reference scale": named["logit_scale"],
        "downstream scale": state.downstream_scale.values,
        "scorer": state.scorer.values,
        "d": found.weighted_d / found.log_weights.exp(),
        "v": found.v,
        "losses": torch.stack([found.upstream_loss, found.downstream_loss, before]),
    }
    yield from ((f"{name}: {key}", value.numpy()) for key, value in values.items())


class Batches:
    """Both streams of a training run: a batch is a function of the step."""

    n_classes = 4

    def pairs(self, step: int, first: int, last: int) -> Pairs:
        images, texts = draw(16, 8, seed=10 * step), draw(16, 8, seed=10 * step + 1)
        rows = slice(first, last)
        return Pairs(images[rows], texts[rows], torch.cat([images, texts], 1)[rows])

    def images(self, step: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        return draw(10, 8, seed=10 * step + 2)[first:last], (torch.arange(10) % 4)[first:last]

    def classes(self, step: int, first: int, last: int) -> Tensor:
        return draw(4, 8, seed=10 * step + 3)[first:last]


def training(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """A whole run."""
    config = FlytConfig(
        steps=6, upstream_batch=16, downstream_batch=10, warmup_steps=2, log_steps=2
    )
    reference = EmbeddingReference(8, 8, width=6, dtype=torch.float64)
    scorer = GluHead(8, 8, dtype=torch.float64)
    found = train_flyt(config, Batches(), [Batches()], reference, scorer, folder, lambda line: None)
    yield from ((f"training: {name}", value.numpy()) for name, value in found.items())


def numbers(ranks: Ranks, folder: Path) -> dict[str, np.ndarray]:
    return dict(scenarios(ranks)) | dict(training(folder))


if __name__ == "__main__":
    # What torch compiles at the first tangent, it compiles here once for all.
    torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.zeros(1),))
    main(numbers)
