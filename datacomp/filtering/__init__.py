"""The filter engine: what a filter is, where its results are kept, and how it is run.

    chosen = filter_from_words(filter_class("clip_score"), ["fraction=0.3"])
    result = run_filter(chosen, open_pool("pools/tiny"), Path("scores"))
    result.write(Path("mine.npy"))

Filters themselves live in packages of their own (ours in `datacomp_filters`). Knows nothing of
training.
"""

from datacomp.filtering.compute import PartsFailed
from datacomp.filtering.contract import (
    Arrays,
    Asset,
    Bench,
    Filter,
    Fit,
    Host,
    ImageFunction,
    ImageStep,
    PoolStep,
    RowFunction,
    RowStep,
    runtime_field,
)
from datacomp.filtering.executor import Executor, LocalExecutor
from datacomp.filtering.params import filter_from_params, filter_from_words
from datacomp.filtering.plan import Plan, explain, rows_to_pass
from datacomp.filtering.registry import FILTERS, filter_class, load_plugin
from datacomp.filtering.run import FilterResult, run_filter, scored
from datacomp.filtering.selection import Selection, keep_unless
from datacomp.filtering.spec import FilterSpec, StepSpec, filter_spec
from datacomp.filtering.store import ScoreStore
from datacomp.filtering.view import PartView, View

__all__ = [
    "FILTERS",
    "Arrays",
    "Asset",
    "Bench",
    "Executor",
    "Filter",
    "FilterResult",
    "FilterSpec",
    "Fit",
    "Host",
    "ImageFunction",
    "ImageStep",
    "LocalExecutor",
    "PartView",
    "PartsFailed",
    "Plan",
    "PoolStep",
    "RowFunction",
    "RowStep",
    "ScoreStore",
    "Selection",
    "StepSpec",
    "View",
    "explain",
    "filter_class",
    "filter_from_params",
    "filter_from_words",
    "filter_spec",
    "keep_unless",
    "load_plugin",
    "rows_to_pass",
    "run_filter",
    "runtime_field",
    "scored",
]
