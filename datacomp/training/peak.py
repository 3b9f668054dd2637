"""How many floating point operations a second a device could do: the denominator of MFU."""

import re
import time
from functools import lru_cache

from datacomp.errors import require
from datacomp.training.devices import one_thread

TERA = 1e12
# Dense rates by NVIDIA's data sheets, in 1e12 operations a second: bfloat16 on tensor cores, and
# float32 (not TF32, which this project does not turn on). None: not a number that we are sure of,
# or the device has no such units. Names are torch's.
GPUS: dict[str, tuple[float | None, float | None]] = {
    r"V100-SXM2": (None, 15.7),
    r"V100-PCIE": (None, 14.0),
    r"A100": (312.0, 19.5),
    r"L4": (121.0, 30.3),
    r"L40S": (362.0, 91.6),
    r"H100 PCIe": (756.0, 51.0),
    r"H100 80GB HBM3": (989.0, 67.0),
    r"H200": (989.0, 67.0),
    r"B200": (2250.0, None),
}
# Large enough for a core's best rate, small enough to take a few milliseconds.
_SIDE, _REPEATS = 512, 5


def peak_flops(device: str, precision: str) -> float | None:
    """Operations a second of one process's device at a recipe's precision; None if unknown.

    A GPU's is by its name, a CPU's is that of one thread, measured once.
    """
    bf16 = precision == "amp_bf16"
    if device == "cpu":
        return _measured(bf16)
    torch = require("torch", "train")
    return named_peak(torch.cuda.get_device_name(device), bf16) if "cuda" in device else None


def named_peak(name: str, bf16: bool) -> float | None:
    """The rate by the name of a GPU, such as `NVIDIA A100-SXM4-80GB`."""
    for pattern, rates in GPUS.items():
        if re.search(rf"(?<!\w){pattern}(?!\w)", name):
            rate = rates[0 if bf16 else 1]
            return rate and rate * TERA
    return None


@lru_cache
def _measured(bf16: bool) -> float:
    torch = require("torch", "train")
    with one_thread("cpu"):
        matrix = torch.ones((_SIDE, _SIDE), dtype=torch.bfloat16 if bf16 else torch.float32)
        seconds = []
        for _ in range(_REPEATS):
            start = time.perf_counter()
            torch.mm(matrix, matrix)
            seconds.append(time.perf_counter() - start)
    return 2 * _SIDE**3 / min(seconds)
