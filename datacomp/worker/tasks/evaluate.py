"""A job of kind `evaluate`: a checkpoint on all tasks of a suite.

Inputs: checkpoint, and either `run`, the record of the worker that trained it, or `report`, which
its team handed in. Finished tasks that an earlier attempt left on this machine are not done again.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datacomp.errors import EvaluationError, TrainingError
from datacomp.worker.faults import UserFault
from datacomp.worker.orders import Made, Order
from datacomp.worker.telling import Telling

if TYPE_CHECKING:
    from datacomp.reports import Report, RunProvenance

OUTCOMES = "outcomes.safetensors"


def evaluate(order: Order, work: Path, telling: Telling) -> Sequence[Made]:
    """The report, and what the model answered in each task, in one file.

    `UserFault` if submitted weights are not the report's, or do not fit its recipe;
    `EvaluationError` if a task failed.
    """
    from datacomp.evaluation.run import evaluate_weights
    from datacomp.evaluation.runner import REPORT_NAME
    from datacomp.training.devices import own_device

    telling.stage("load model")
    suite, out = order.params["suite"], work / "report"
    try:
        report = evaluate_weights(
            order.input("checkpoint"),
            _provenance(order, work),
            suite,
            out_dir=out,
            data_dir=_data_dir(order, suite),
            device=own_device(order.device),
            decode_threads=order.decode_threads,
            open_progress=telling.open_progress,
        )
    except TrainingError as error:
        if "report" not in order.inputs:
            raise
        raise UserFault("checkpoint_unusable", str(error)) from error
    failed = [f"{key}: {one.error}" for key, one in report.tasks.items() if one.status == "failed"]
    if failed:
        raise EvaluationError(f"{len(failed)} tasks of {suite} failed: {'; '.join(failed)}")
    outcomes = work / OUTCOMES
    _join_outcomes(report, out, outcomes)
    average = report.aggregates.average.value
    return [Made("report", out / REPORT_NAME, {"average": average}), Made("outcomes", outcomes)]


def _provenance(order: Order, work: Path) -> "RunProvenance":
    from datacomp.evaluation.run import provenance_of
    from datacomp.reports import read_report
    from datacomp.training.run import RUN, read_run

    if "report" in order.inputs:
        return read_report(order.input("report")).run
    (work / RUN).unlink(missing_ok=True)
    os.link(order.input("run"), work / RUN)
    return provenance_of(read_run(work))


def _data_dir(order: Order, suite: str) -> Path | None:
    """The folder of the suite's evaluation sets; None for a suite that builds its own."""
    from datacomp.evaluation.tiny_data import TINY

    return Path(order.eval_data) if order.eval_data and suite != TINY else None


def _join_outcomes(report: "Report", out: Path, path: Path) -> None:
    """All tasks' arrays in one file, named TASK/ARRAY; the same arrays give the same bytes."""
    from safetensors.numpy import save

    from datacomp.evaluation.outcomes import outcomes_path, read_outcomes
    from datacomp.files import write_bytes

    arrays = {
        f"{key}/{name}": array
        for key in report.tasks
        for name, array in read_outcomes(outcomes_path(out, key)).items()
    }
    write_bytes(path, save(arrays))
