"""The report's JSON Schema, derived from its model; published as docs/report.schema.json."""

from typing import Any

from datacomp.reports.schema import Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a report file.

    It says what `parse_report` says of shapes, lengths and ranges, but for three things: to it 1.0
    is an integer, a date need not be in the calendar, and half a surrogate pair is a character.
    Whether numbers add up, the checks say.
    """
    return {"$schema": DIALECT, **Report.model_json_schema(by_alias=True)}
