"""The report's JSON Schema, derived from its model; published as docs/report.schema.json."""

from typing import Any

from datacomp.reports.schema import Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a report file.

    It says what `parse_report` says of shapes, lengths and ranges. What a schema cannot say, such
    as that numbers add up, the checks do.
    """
    return {"$schema": DIALECT, **Report.model_json_schema(by_alias=True)}
