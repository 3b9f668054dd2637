"""What this machine can do for the service: scales, pools, evaluation sets, device."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datacomp.errors import UsageError
from datacomp.worker.plugins import unable

WITHOUT_GPU = ("smoke", "tiny")
WITH_GPU = (*WITHOUT_GPU, "small", "medium")
WITH_EIGHT_GPUS = (*WITH_GPU, "large", "xlarge")
PLUGINS = "plugins"
"""The class of submitted filters, of any scale whose pool is here."""
BYOD = "-byod"
"""Behind a scale: its trainings on teams' own data, whose addresses have to be followed."""
OWN_SUITE = WITHOUT_GPU  # scales that are evaluated on sets which this package builds itself


@dataclass(frozen=True)
class Machine:
    """`pools` maps the pools' ids to their URLs, `gpus` are numbers of devices.

    `byod` None: addresses of teams are not followed; else to public hosts and these networks.
    """

    classes: tuple[str, ...]
    pools: Mapping[str, str]
    device: str
    gpus: tuple[int, ...] = ()
    eval_data: str | None = None
    byod: tuple[str, ...] | None = None
    decode_threads: int = 1
    checkpoint_seconds: float = 300.0

    def facts(self, executor: str) -> dict[str, Any]:
        """What people may want to know of it: versions, device, cores, memory."""
        from datacomp.training.run import platform_versions

        return {
            "versions": platform_versions(),
            "device": self.device,
            "gpus": len(self.gpus),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": platform.platform(),
            "executor": executor,
            "byod": self.byod is not None,
        }


def count_gpus() -> int:
    """GPUs that PyTorch finds; asked in a process of its own, so that this one stays small."""
    code = "import torch; print(torch.cuda.device_count())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if told.returncode:
        raise UsageError(f"PyTorch cannot be used here: {told.stderr.strip()[-300:]}")
    return int(told.stdout)


def default_classes(n_gpus: int, eval_data: str | None) -> tuple[str, ...]:
    """The scales that so many GPUs can do and whose evaluation sets are here.

    Plugins too, where they can be run in a sandbox.
    """
    able = WITH_EIGHT_GPUS if n_gpus >= 8 else WITH_GPU if n_gpus else WITHOUT_GPU
    scales = tuple(name for name in able if name in OWN_SUITE or eval_data)
    return scales if unable() else (*scales, PLUGINS)


def with_own_data(classes: Sequence[str], networks: Sequence[str]) -> tuple[str, ...]:
    """The classes, and each scale's for teams' own data.

    `UsageError` for what is no network, `MissingExtraError` if pictures cannot be fetched here.
    """
    from datacomp.pool.download import ImageOptions, Reach
    from datacomp.pool.download.run import require_img2dataset

    require_img2dataset(ImageOptions())
    Reach(allowed=tuple(networks))
    return (*classes, *(f"{name}{BYOD}" for name in classes if name != PLUGINS))


def demand_classes(classes: Sequence[str], eval_data: str | None) -> None:
    """`UnknownNameError` for what is no scale, `UsageError` for what cannot be done here."""
    from datacomp.training import load_scale

    for name in classes:
        if name == PLUGINS:
            if why := unable():
                raise UsageError(f"plugins cannot be run here: {why}")
            continue
        load_scale(name)
        if name not in OWN_SUITE and eval_data is None:
            raise UsageError(
                f"scale {name} is evaluated on sets that have to be here: give their folder with "
                "--eval-data; datacomp evaluate download fetches them"
            )


def open_pools(urls: Sequence[str]) -> dict[str, str]:
    """The ids of pools, which their jobs name, and where they are."""
    from datacomp.pool import open_pool

    found: dict[str, str] = {}
    for url in urls:
        pool_id = open_pool(url).require_manifest().pool_id
        if pool_id in found:
            raise UsageError(f"{found[pool_id]} and {url} are the same pool: name one of them")
        found[pool_id] = url
    return found
