"""The trainings behind `flyt` and `mflyt`, as fits of the filter engine."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError, require
from datacomp.filtering import Bench, Fit, PartView, View
from datacomp.subset.cuts import Scores
from datacomp_filters.clip_source import find_clip
from datacomp_filters.flyt.options import OnEmbeddings, Trained

if TYPE_CHECKING:
    from datacomp_filters.flyt.data import PoolRows
    from datacomp_filters.flyt.heads import Scorer
    from datacomp_filters.flyt.references import Reference
    from datacomp_filters.flyt.training import Downstream, Upstream

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class FlytFit(OnEmbeddings, Fit):
    """FLYT's head: the arrays of GluHead, and `widths`, those of image and text embeddings."""

    name = "flyt"
    cost = "minutes on a GPU, at the paper's batches"

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Train it, or go on where a training was stopped."""
        require("torch", "train")
        from datacomp_filters.flyt.heads import GluHead

        read = read_all(self, view, bench)
        arrays = train(self, read, GluHead(*read.widths, seed=self.seed), bench)
        return {**arrays, "widths": np.array(read.widths, np.int64)}


@dataclass(frozen=True)
class Read:
    """What a training reads, its reference model, and the widths of the pool's embeddings."""

    rows: "PoolRows"
    upstream: "Upstream"
    downstream: "Downstream"
    reference: "Reference"
    widths: tuple[int, int]


def read_all(
    options: Trained, view: View, bench: Bench, scores: Sequence[Callable[[PartView], Scores]] = ()
) -> Read:
    """Read the labelled set and the pool: embeddings for adapters, pictures for a whole CLIP."""
    from datacomp_filters.flyt.data import read_labelled, read_pool
    from datacomp_filters.flyt.pictures import PicturePairs, read_labelled_pictures
    from datacomp_filters.flyt.references import EmbeddingReference, OpenClipReference

    keys, given = options.embeddings, (options.seed, bench.tell)
    pool = (view, keys, options.train_rows, options.upstream_batch, *given, scores)
    if options.reference_model is not None:
        clip = find_clip(options.reference_model).load(training_device(bench.device))
        task = read_labelled_pictures(options.downstream, clip, options.downstream_batch, *given)
        pictures = view.pool.samples()
        rows = read_pool(*pool, pictures)
        widths = (rows.images.shape[1], rows.texts.shape[1])
        upstream = PicturePairs(rows, pictures, clip)
        return Read(rows, upstream, task, OpenClipReference(clip.model), widths)
    labelled = read_labelled(options.downstream, keys, options.downstream_batch, *given)
    rows, widths = read_pool(*pool), labelled.widths
    if len(rows):
        _demand_widths(options, (rows.images.shape[1], rows.texts.shape[1]), widths)
    reference = EmbeddingReference(
        *widths, width=options.width, hidden=options.hidden, seed=options.seed
    )
    return Read(rows, rows, labelled, reference, widths)


def train(options: Trained, read: Read, scorer: "Scorer", bench: Bench) -> Arrays:
    """Train a scorer; its parameters. From a pool without rows nothing is learned."""
    from datacomp_filters.flyt.training import train_flyt

    if not len(read.rows):
        bench.tell("the pool is empty: nothing to learn")
        return {name: tensor.numpy() for name, tensor in scorer.parameters().items()}
    trained = train_flyt(
        options.config(),
        read.upstream,
        [read.downstream],
        read.reference,
        scorer,
        bench.folder,
        bench.tell,
        training_device(bench.device),
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
