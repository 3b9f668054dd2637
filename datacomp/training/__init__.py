"""The fixed recipe: scales as data, a sampler without state, the loop, checkpoints, runs.

    record = train(load_scale("tiny"), open_pool(url), subset, folder, subset_name="mine")

Importing this package does not import torch.
"""

from datacomp.training.data import OnError, whole_pool
from datacomp.training.encoder import ClipEncoder, load_encoder
from datacomp.training.loop import train, train_on
from datacomp.training.recipe import (
    Recipe,
    Systems,
    load_scale,
    published_recipes,
    scale_names,
)
from datacomp.training.run import RunRecord, read_run

__all__ = [
    "ClipEncoder",
    "OnError",
    "Recipe",
    "RunRecord",
    "Systems",
    "load_encoder",
    "load_scale",
    "published_recipes",
    "read_run",
    "scale_names",
    "train",
    "train_on",
    "whole_pool",
]
