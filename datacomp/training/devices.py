"""Which device a run uses when nobody says."""

from datacomp.errors import require


def default_device() -> str:
    """`cuda` where PyTorch finds a GPU, else `cpu`."""
    return "cuda" if require("torch", "train").cuda.is_available() else "cpu"
