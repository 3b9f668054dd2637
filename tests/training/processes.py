"""The same steps as one, two and four processes; run by test_distributed.py, not by pytest."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from datacomp.training.batch_norm import share_statistics
from datacomp.training.distributed import Ranks
from datacomp.training.model import build_model
from datacomp.training.recipe import load_scale
from datacomp.training.step import GradientStep
from support.worlds import main

BATCH, STEPS = 16, 3
RESNET = load_scale("smoke")
VIT = replace(
    RESNET,
    model={
        **RESNET.model,
        "vision_cfg": {
            **{"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16}
        },
    },
)


def batch(step: int) -> tuple[Any, Any, Any]:
    random = torch.Generator().manual_seed(step)
    pixels = torch.randn(BATCH, 3, 32, 32, generator=random).double()
    tokens = torch.randint(1, 49405, (BATCH, 16), generator=random)
    lengths = torch.randint(3, 17, (BATCH,), generator=random)
    tokens[torch.arange(16) >= lengths[:, None]] = 0
    tokens[torch.arange(BATCH), lengths - 1] = 49407
    return pixels, tokens, lengths


def scenarios(ranks: Ranks) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of all that must not depend on the number of processes, nor of pieces."""
    share = slice(*ranks.share(BATCH))
    for name, recipe, micro in (
        ("resnet", RESNET, None),
        ("vit", VIT, None),
        ("vit in pieces", VIT, 2),
    ):
        model = build_model(recipe).double().train()
        if ranks.world > 1:
            share_statistics(model, ranks)
        gradients = GradientStep(model, ranks, micro, nullcontext(), trimmed=ranks.world > 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(STEPS):
            loss = gradients(*(rows[share] for rows in batch(step)))
            yield f"{name}: loss {step}", np.array(loss)
            if step == 0:
                held = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
                yield from (
                    (f"{name}: {n}", gradient.numpy().copy()) for n, gradient in held.items()
                )
            optimizer.step()
        for n, value in model.state_dict().items():
            if "running" in n:
                yield f"{name}: {n}", value.numpy()
    yield "joined", np.array([len(piece) for piece in ranks.join(b"x" * 5)])


if __name__ == "__main__":
    main(lambda ranks, _: dict(scenarios(ranks)))
