"""Suites, evaluation reports, their aggregates and their checks.

Knows nothing of models and loads no heavy package, so that the CLI, the service and a worker
judge a report by the same code.
"""

from datacomp.reports.aggregates import aggregate, main_metric
from datacomp.reports.checks import check_report, check_submittable
from datacomp.reports.files import (
    InvalidReportError,
    parse_report,
    read_report,
    report_sha256,
    write_eval_results,
    write_report,
)
from datacomp.reports.findings import Finding
from datacomp.reports.imports import Imported, read_eval_results
from datacomp.reports.json_schema import json_schema
from datacomp.reports.schema import (
    Aggregates,
    Average,
    GroupMean,
    Metric,
    ModelProvenance,
    Preprocessing,
    Provenance,
    Report,
    RunProvenance,
    SubsetRef,
    SuiteRef,
    TaskResult,
)
from datacomp.reports.suite import Grouping, Suite, TaskSpec, load_suite, read_suite, suites

__all__ = [
    "Aggregates",
    "Average",
    "Finding",
    "GroupMean",
    "Grouping",
    "Imported",
    "InvalidReportError",
    "Metric",
    "ModelProvenance",
    "Preprocessing",
    "Provenance",
    "Report",
    "RunProvenance",
    "SubsetRef",
    "Suite",
    "SuiteRef",
    "TaskResult",
    "TaskSpec",
    "aggregate",
    "check_report",
    "check_submittable",
    "json_schema",
    "load_suite",
    "main_metric",
    "parse_report",
    "read_eval_results",
    "read_report",
    "read_suite",
    "report_sha256",
    "suites",
    "write_eval_results",
    "write_report",
]
