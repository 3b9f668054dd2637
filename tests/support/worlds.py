"""What one, two and four processes compute, side by side; used by scripts, not by pytest.

A script gives `main` the numbers that each process computes. The fixture `worlds` runs it, through
tests/fork_server.py: torch is imported once for all seven processes.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

WORLDS = (1, 2, 4)
# (datacomp.training.distributed.Ranks, folder) -> arrays by name
Numbers = Callable[[Any, Path], Mapping[str, np.ndarray]]


def main(numbers: Numbers) -> None:
    """Do `python SCRIPT FOLDER PORT PORT PORT`, a port for each world.

    Each process writes `numbers(ranks, folder)` to FOLDER/<world>-<rank>.npz, where `folder` is one
    that the processes of its world have for themselves.
    """
    folder, ports = Path(sys.argv[1]), sys.argv[2:]
    children = []
    for world, port in zip(WORLDS, ports, strict=True):
        for rank in range(world):
            child = os.fork()
            if child == 0:
                _work(folder, world, rank, port, numbers)
                os._exit(0)
            children.append(child)
    sys.exit(any([os.waitpid(child, 0)[1] for child in children]))


def _work(folder: Path, world: int, rank: int, port: str, numbers: Numbers) -> None:
    import torch

    from datacomp.training.distributed import launched_ranks

    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "GLOO_SOCKET_IFNAME": "lo",
    }
    torch.set_num_threads(1)
    with launched_ranks("cpu") as ranks:
        found = numbers(ranks, folder / f"world-{world}")
    np.savez(folder / f"{world}-{rank}.npz", **found)
