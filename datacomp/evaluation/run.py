"""Evaluate a training run or an open_clip model: its folder or name in, a report out.

Loads torch only when it is called.
"""

import re
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from datacomp.errors import TrainingError, UsageError
from datacomp.evaluation.precision import reference
from datacomp.evaluation.runner import FEATURES_NAME, evaluate
from datacomp.evaluation.tiny_data import TINY, build_tiny_suite
from datacomp.evaluation.weights import Weights
from datacomp.files import sha256_file
from datacomp.pool.encoder import Encoder
from datacomp.progress import NoProgress, Progress
from datacomp.reports import Provenance, Report, RunProvenance, SubsetRef, Suite, load_suite

if TYPE_CHECKING:
    from datacomp.training.run import RunRecord

OpenProgress = Callable[..., AbstractContextManager[Progress]]


def evaluate_run(
    run_dir: Path,
    suite_name: str = TINY,
    *,
    out_dir: Path | None = None,
    data_dir: Path | None = None,
    tasks: Collection[str] = (),
    device: str = "cpu",
    decode_threads: int = 1,
    open_progress: OpenProgress | None = None,
) -> Report:
    """Evaluate the finished run in `run_dir`; see `runner.evaluate` for what is written.

    `out_dir` defaults to `run_dir/evaluation/<suite>`; `data_dir` to the suite's own data, which
    are built when they are not there; features go where `features_dir` says. `open_progress` is
    `datacomp.progress.progress`, or silence.
    """
    from datacomp.training.encoder import load_encoder
    from datacomp.training.run import read_run

    suite = _suite(suite_name, tasks)
    encoder = reference(load_encoder(run_dir, device, decode_threads), device)
    provenance = provenance_of(read_run(run_dir))
    out = out_dir or report_dir(run_dir, suite.name)
    return _evaluate(encoder, provenance, suite, out, data_dir, tasks, open_progress)


def evaluate_model(
    weights: Weights,
    suite_name: str = TINY,
    *,
    out_dir: Path,
    data_dir: Path | None = None,
    tasks: Collection[str] = (),
    device: str = "cpu",
    decode_threads: int = 1,
    open_progress: OpenProgress | None = None,
) -> Report:
    """Evaluate an open_clip model; `weights` is `find_weights`'s, all else as `evaluate_run`."""
    from datacomp.evaluation.model import load_model

    suite = _suite(suite_name, tasks)
    encoder = load_model(weights, device, decode_threads)
    return _evaluate(
        reference(encoder, device),
        encoder.provenance,
        suite,
        out_dir,
        data_dir,
        tasks,
        open_progress,
    )


def evaluate_weights(
    weights: Path,
    provenance: RunProvenance,
    suite_name: str = TINY,
    *,
    out_dir: Path,
    data_dir: Path | None = None,
    device: str = "cpu",
    decode_threads: int = 1,
    open_progress: OpenProgress | None = None,
) -> Report:
    """Evaluate the weights of a run whose folder is elsewhere; all else as `evaluate_run`.

    `TrainingError` if they are not what `provenance` says, which must name a published recipe.
    """
    from datacomp.training.encoder import encoder_of
    from datacomp.training.recipe import recipe_of

    if (found := sha256_file(weights)) != provenance.checkpoint_sha256:
        raise TrainingError(
            f"the weights are not what their provenance names: expected sha256 "
            f"{provenance.checkpoint_sha256}, found {found}"
        )
    suite, recipe = load_suite(suite_name), recipe_of(provenance.recipe_id)
    encoder = reference(encoder_of(recipe, weights, found, device, decode_threads), device)
    return _evaluate(encoder, provenance, suite, out_dir, data_dir, (), open_progress)


def report_dir(run_dir: Path, suite_name: str = TINY) -> Path:
    """Where the report of a run goes when nothing else is said."""
    return run_dir / "evaluation" / suite_name


def model_report_dir(root: Path, weights: Weights, suite_name: str = TINY) -> Path:
    """Where the report of a model goes when nothing else is said; `root` holds those of all.

    The folder is named by model, tag or file, and the file's hash.
    """
    sha256 = sha256_file(weights.path)
    name = f"{weights.model}-{weights.pretrained}-{sha256[:8]}"
    return root / re.sub(r"[^\w.-]", "-", name) / suite_name


def suite_data(suite: Suite) -> Path:
    """The folder with the suite's evaluation sets, built if this package can build them."""
    if suite.name != TINY:
        raise UsageError(
            f"suite {suite.name!r} is read from a folder: pass --data-dir with wds_<task>_test "
            "folders in it, which datacomp evaluate download fetches"
        )
    return build_tiny_suite()


def _suite(name: str, tasks: Collection[str]) -> Suite:
    """The suite, before a model is loaded for tasks that it does not have."""
    suite = load_suite(name)
    for key in tasks:
        suite[key]
    return suite


def _evaluate(
    encoder: Encoder,
    provenance: Provenance,
    suite: Suite,
    out_dir: Path,
    data_dir: Path | None,
    tasks: Collection[str],
    open_progress: OpenProgress | None,
) -> Report:
    data = data_dir or suite_data(suite)
    total = sum(spec.n for spec in ([suite[key] for key in set(tasks)] or suite.tasks))
    opened = open_progress or (lambda *_, **__: nullcontext(NoProgress()))
    with opened(f"evaluate {suite.name}", total, unit="samples") as progress:
        return evaluate(
            encoder,
            suite,
            data,
            out_dir,
            provenance,
            progress,
            tasks,
            features_dir(out_dir, suite.name),
        )


def features_dir(out_dir: Path, suite_name: str) -> Path:
    """Where features go: beside the folders of a model's suites, or into a folder of other name."""
    return (out_dir.parent if out_dir.name == suite_name else out_dir) / FEATURES_NAME


def provenance_of(record: "RunRecord") -> RunProvenance:
    """What a finished run says about itself, as a report carries it."""
    assert record.checkpoint_sha256 is not None  # load_encoder refuses an unfinished run
    return RunProvenance(
        scale=record.scale,
        recipe_id=record.recipe_id,
        pool_id=record.pool_id,
        pool_size=record.pool_size,
        subset=SubsetRef(
            name=record.subset.name,
            sha256=record.subset.sha256,
            n=record.subset.n,
            n_unique=record.subset.n_unique,
        ),
        checkpoint_sha256=record.checkpoint_sha256,
        seed=record.seed,
        samples_seen=record.samples_seen,
        platform=record.platform,
    )
