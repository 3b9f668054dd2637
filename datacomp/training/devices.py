"""Which device a run uses when nobody says, and which of several processes this one is.

Nothing here imports torch: the command line asks before it does.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from datacomp.errors import UsageError, require

SLURM_PORT = "29500"


def default_device() -> str:
    """`cuda` where PyTorch finds a GPU, else `cpu`."""
    return "cuda" if require("torch", "train").cuda.is_available() else "cpu"


@contextmanager
def one_thread(device: str) -> Iterator[None]:
    """On the CPU one thread: sums have one order, and two busy threads are slower than one."""
    torch = require("torch", "train")
    threads = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def is_first_process() -> bool:
    """Whether this process is the one that prints: rank 0, or the only one."""
    return {**slurm_variables(os.environ), **os.environ}.get("RANK", "0") == "0"


def own_device(device: str) -> str:
    """The device for this process: `cuda` becomes the GPU of its local rank, taken in turn."""
    local = {**slurm_variables(os.environ), **os.environ}.get("LOCAL_RANK")
    if device != "cuda" or local is None:
        return device
    return f"cuda:{int(local) % max(1, require('torch', 'train').cuda.device_count())}"


def demand_device(device: str) -> None:
    """`UsageError` if PyTorch has no device of that name here, or it does not work."""
    if device == "cpu":
        return
    torch = require("torch", "train")
    try:
        torch.empty(1, device=device).cpu()
    except Exception as error:  # of torch, or of whatever runs the device
        told = str(error).split("\n")[0].split(". ")[0][:200]
        raise UsageError(f"--device {device} cannot be used here: {told}") from error


def slurm_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What torchrun would have set, from what `srun` sets; empty outside an srun of several tasks.

    The first node of the step is the meeting place.
    """
    tasks = environ.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks == "1" or "RANK" in environ or "SLURM_PROCID" not in environ:
        return {}
    return {
        "RANK": environ["SLURM_PROCID"],
        "LOCAL_RANK": environ.get("SLURM_LOCALID", "0"),
        "WORLD_SIZE": tasks,
        "MASTER_ADDR": first_host(environ.get("SLURM_STEP_NODELIST", "localhost")),
        "MASTER_PORT": environ.get("MASTER_PORT", SLURM_PORT),
    }


def first_host(nodes: str) -> str:
    """The first of a list as SLURM writes it: `gpu[03-07,11],x1` is gpu03."""
    found = re.match(r"([^,\[]+)(?:\[([^,\-\]]+))?", nodes)
    return f"{found[1]}{found[2] or ''}" if found else nodes
