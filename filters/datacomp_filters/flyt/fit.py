"""The trainings behind `flyt` and `mflyt`, as fits of the filter engine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError, require
from datacomp.filtering import Bench, Fit, View
from datacomp_filters.flyt.options import OnEmbeddings, Trained

if TYPE_CHECKING:
    from datacomp_filters.flyt.data import LabelledRows, PoolRows
    from datacomp_filters.flyt.heads import Scorer

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class FlytFit(OnEmbeddings, Fit):
    """FLYT's head: the arrays of GluHead, and `widths`, those of image and text embeddings."""

    name = "flyt"
    cost = "minutes on a GPU, at the paper's batches"

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Train it, or go on where a training was stopped."""
        require("torch", "train")
        from datacomp_filters.flyt.data import read_labelled, read_pool
        from datacomp_filters.flyt.heads import GluHead

        task = read_labelled(
            self.downstream, self.embeddings, self.downstream_batch, self.seed, bench.tell
        )
        rows = read_pool(
            view, self.embeddings, self.train_rows, self.upstream_batch, self.seed, bench.tell
        )
        widths = task.widths
        arrays = train(self, rows, task, GluHead(*widths, seed=self.seed), bench)
        return {**arrays, "widths": np.array(widths, np.int64)}


def train(
    options: Trained, rows: "PoolRows", task: "LabelledRows", scorer: "Scorer", bench: Bench
) -> Arrays:
    """Train a scorer with adapters on stored embeddings as the reference; its parameters.

    From a pool without rows nothing is learned: they are those of the start.
    """
    from datacomp_filters.flyt.references import EmbeddingReference
    from datacomp_filters.flyt.training import train_flyt

    if not len(rows):
        bench.tell("the pool is empty: nothing to learn")
        return {name: tensor.numpy() for name, tensor in scorer.parameters().items()}
    widths = (rows.images.shape[1], rows.texts.shape[1])
    _demand_widths(options, widths, task.widths)
    reference = EmbeddingReference(
        *widths, width=options.width, hidden=options.hidden, seed=options.seed
    )
    device = training_device(bench.device)
    trained = train_flyt(
        options.config(), rows, [task], reference, scorer, bench.folder, bench.tell, device
    )
    return {name: tensor.numpy() for name, tensor in trained.items()}


def training_device(device: str) -> str:
    """`device`; under torchrun, of several GPUs this process's own."""
    if device != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    own = int(os.environ["LOCAL_RANK"])
    require("torch", "train").cuda.set_device(own)
    return f"cuda:{own}"


def tensors(arrays: Mapping[str, npt.NDArray[Any]], device: str) -> dict[str, Any]:
    """Arrays of floats as tensors on a device."""
    torch = require("torch", "train")
    return {
        name: torch.from_numpy(array).to(device)
        for name, array in arrays.items()
        if array.dtype.kind == "f"
    }


def _demand_widths(options: Trained, pool: tuple[int, int], task: tuple[int, int]) -> None:
    if pool != task:
        raise FilterError(
            f"the pool's {' and '.join(options.embeddings)} have {pool[0]} and {pool[1]} "
            f"dimensions, those of {options.downstream} {task[0]} and {task[1]}; they must come "
            "from the same model"
        )
    if options.width is None and pool[0] != pool[1]:
        raise FilterError(
            f"{' and '.join(options.embeddings)} have {pool[0]} and {pool[1]} dimensions; say with "
            "width= to how many both are projected"
        )
