"""Is this a manifest that may be stored? Every reason is listed, not just the first.

The report's own checks are `datacomp.reports.check_report`, the manifest's are
`datacomp.submission.rules`, both the same that the command line runs before it sends. Here stand
the rules that only a service has:

S101 method name         S102 description        S103 text inside report or manifest
S104 unknown scale       S105 unknown suite      S106 suite of another scale
S107 no published recipe of this scale           S108 not as many samples as the recipe sees
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from datacomp.errors import UnknownNameError
from datacomp.files import canonical_json
from datacomp.reports import (
    Finding,
    InvalidReportError,
    Report,
    check_report,
    check_submittable,
    load_suite,
    parse_report,
)
from datacomp.submission import text
from datacomp.submission.manifest import MAX_DESCRIPTION_LENGTH, MAX_METHOD_LENGTH, Manifest
from datacomp.submission.rules import check_manifest
from datacomp_leaderboard.scales import SCALES
from datacomp_server.kit.errors import FindingOut, Refused

if TYPE_CHECKING:
    from datacomp.training import Recipe


@dataclass(frozen=True)
class ValidSubmission:
    """A manifest that passed every rule, cleaned; made by `validate` only.

    `suite_sha256` is the version of the suite that the report is of, or that its scale has now.
    """

    manifest: Manifest
    report: Report | None
    report_json: bytes | None
    lock_json: bytes | None
    profile_json: bytes | None
    scale: str
    suite_sha256: str
    pool_id: str
    seed: int
    oracle: bool


def validate(manifest: Manifest) -> ValidSubmission:
    """The manifest, cleaned and typed; `Refused` with every finding if it breaks a rule."""
    method = text.clean(manifest.method)
    description = text.clean(manifest.description or "") or None
    findings = [*_texts(method, description, manifest.pool_id)]
    report = _report(manifest, findings)
    findings += check_manifest(manifest, report)
    findings += _check(report) if report is not None else _scale(manifest.scale)
    if findings:
        raise refusal(findings)
    if report is not None:
        manifest = manifest.model_copy(update={"report": report.as_json()})
    return _valid(
        manifest.model_copy(update={"method": method, "description": description}), report
    )


def refusal(findings: list[Finding]) -> Refused:
    """A refusal for these reasons; nothing is stored."""
    reasons = "1 reason" if len(findings) == 1 else f"{len(findings)} reasons"
    return Refused(
        f"refused for {reasons}, nothing stored",
        code="submission_refused",
        findings=[FindingOut(code=f.code, message=f.message, task=f.task) for f in findings],
    )


def _valid(manifest: Manifest, report: Report | None) -> ValidSubmission:
    scale = report.run.scale if report is not None else manifest.scale
    pool_id = report.run.pool_id if report is not None else manifest.pool_id
    assert scale is not None, "check_manifest demands a scale where there is no report"
    assert pool_id is not None, "check_manifest demands a pool where there is no report"
    suite = report.suite if report is not None else load_suite(SCALES[scale].suite)
    return ValidSubmission(
        manifest=manifest,
        report=report,
        report_json=canonical_json(report.as_json()) if report is not None else None,
        lock_json=_json(manifest.lock),
        profile_json=_json(manifest.profile),
        scale=scale,
        suite_sha256=suite.sha256,
        pool_id=pool_id,
        seed=report.run.seed if report is not None else manifest.seed or 0,
        oracle=bool(manifest.lock and manifest.lock.get("uses_truth")),
    )


def _json(value: dict[str, Any] | None) -> bytes | None:
    return None if value is None else canonical_json(value)


def _report(manifest: Manifest, findings: list[Finding]) -> Report | None:
    """The report of a run, or None; why it is none is added to `findings`."""
    if manifest.report is None:
        return None
    try:
        report = parse_report(json.dumps(manifest.report))
    except InvalidReportError as error:
        findings += error.findings
        return None
    except (ValueError, RecursionError) as error:
        findings.append(Finding("E001", None, f"the report is not JSON: {error}"))
        return None
    if no_run := check_submittable(report):
        findings += no_run
        return None
    return report


def _check(report: Report) -> Iterator[Finding]:
    yield from _report_texts(report)
    yield from _scale(report.run.scale)
    scale, suite_name = SCALES.get(report.run.scale), report.suite.name
    if scale is not None and suite_name != scale.suite:
        yield Finding(
            "S106",
            None,
            f"suite is {suite_name!r}, the board of scale {report.run.scale!r} ranks by "
            f"{scale.suite!r}",
        )
    if scale is not None:
        yield from _recipe(report)
    try:
        suite = load_suite(suite_name)
    except UnknownNameError as error:
        yield Finding("S105", None, str(error))
        return
    yield from check_report(report, suite)


def _scale(name: str | None) -> Iterator[Finding]:
    if name is not None and name not in SCALES:
        known = ", ".join(SCALES)
        yield Finding("S104", None, f"no scale is named {name!r}; there are: {known}")


def _recipe(report: Report) -> Iterator[Finding]:
    run = report.run
    recipe = _recipes().get(run.recipe_id)
    if recipe is None or recipe.scale != run.scale:
        whose = f"that of scale {recipe.scale!r}" if recipe is not None else "not a published one"
        yield Finding(
            "S107",
            None,
            f"recipe {run.recipe_id[:12]} is {whose}; a board compares runs of one recipe: train "
            f"with datacomp train --scale {run.scale} and this version of datacomp",
        )
        return
    samples = recipe.steps * recipe.global_batch_size
    if run.samples_seen != samples:
        found = f"samples_seen is {run.samples_seen:,}, the recipe of {run.scale} sees {samples:,}"
        yield Finding("S108", None, found)


@cache
def _recipes() -> "dict[str, Recipe]":
    """Every published recipe by its id."""
    from datacomp.training import load_scale, published_recipes

    return {
        recipe_id: load_scale(scale, variant)
        for recipe_id, (scale, variant) in published_recipes().items()
    }


def _texts(method: str, description: str | None, pool_id: str | None) -> Iterator[Finding]:
    for problem in text.problems(method, limit=MAX_METHOD_LENGTH):
        yield Finding("S101", None, f"the method's name {problem}")
    if description is not None:
        for problem in text.problems(description, limit=MAX_DESCRIPTION_LENGTH, multiline=True):
            yield Finding("S102", None, f"the description {problem}")
    if pool_id is not None:
        for problem in text.problems(pool_id, limit=200):
            yield Finding("S103", None, f"pool_id {problem}")


def _report_texts(report: Report) -> Iterator[Finding]:
    provenance = report.run
    texts = {
        "recipe_id": provenance.recipe_id,
        "pool_id": provenance.pool_id,
        "subset.name": provenance.subset.name,
    }
    for key, value in provenance.platform.items():
        texts[f"platform key {key!r}"] = key
        texts[f"platform.{key}"] = value
    for name, value in texts.items():
        for problem in text.problems(value, limit=200):
            yield Finding("S103", None, f"provenance {name} {problem}")
