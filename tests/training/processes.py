"""The same steps as one, two and four processes; run by test_distributed.py, not by pytest.

    python processes.py FOLDER PORT PORT PORT        # writes FOLDER/<world>-<rank>.npz

The processes are forked from this one, so that torch is imported once.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datacomp.training.batch_norm import share_statistics
from datacomp.training.distributed import Ranks, launched_ranks
from datacomp.training.model import build_model
from datacomp.training.recipe import load_scale
from datacomp.training.step import GradientStep

BATCH, STEPS, WORLDS = 16, 3, (1, 2, 4)
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


def work(folder: Path, world: int, rank: int, port: str) -> None:
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "GLOO_SOCKET_IFNAME": "lo",
    }
    torch.set_num_threads(1)
    with launched_ranks("cpu") as ranks:
        np.savez(folder / f"{world}-{rank}.npz", **dict(scenarios(ranks)))


def main(folder: Path, ports: list[str]) -> int:
    children = []
    for world, port in zip(WORLDS, ports, strict=True):
        for rank in range(world):
            child = os.fork()
            if child == 0:
                work(folder, world, rank, port)
                os._exit(0)
            children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
