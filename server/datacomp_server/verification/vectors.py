"""The fingerprint of a report's numbers; pure.

Runs on different subsets, or with different seeds, hardly ever have the same one: it is that of a
run that somebody repeated, or of numbers that somebody copied.
"""

from datacomp.files import sha256_json
from datacomp.reports import Report, Suite

DIGITS = 6


def vector_sha256(report: Report, suite: Suite) -> str | None:
    """Hash of every scored task's main metric to 6 digits; None unless all of them are there."""
    values = []
    for spec in suite.scored:
        result = report.tasks.get(spec.key)
        metric = result.main if result is not None else None
        if metric is None or metric.value is None:
            return None
        values.append(f"{metric.value:.{DIGITS}f}")
    return sha256_json([suite.sha256, values])
