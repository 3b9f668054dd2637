"""The profile that `datacomp submit` sends along: where it comes from, and what is said of it."""

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from datacomp.errors import PoolError
from datacomp.workspace import Workspace

if TYPE_CHECKING:
    from datacomp.cli.submit_parts import Parts
    from datacomp.submission.profile import Profile


def with_profile(
    parts: "Parts", workspace: Workspace, report_path: Path | None, pool: str | None
) -> "Parts":
    """The same parts with a profile, as far as one can be made here.

    A pool that was named must be the right one; one that was found, or is away, is passed over
    with a word on stderr.
    """
    from datacomp.client.profiling import Places, portrait_of, profile_of_run
    from datacomp.progress import progress
    from datacomp.reports import RunProvenance
    from datacomp.submission.profile import SCHEMA, Profile

    if parts.report is not None and not isinstance(parts.report.provenance, RunProvenance):
        return parts  # the checks will say so
    scale = parts.report.run.scale if parts.report else parts.fields["scale"]
    pool_id = parts.report.run.pool_id if parts.report else parts.fields.get("pool_id")
    subset = None if "byod" in parts.paths else parts.paths.get("subset")
    places = Places(pool or workspace.pool_for(scale), subset, workspace.scores)

    def make(places: Places) -> Profile:
        if parts.report is not None and report_path is not None:
            return profile_of_run(parts.report, report_path, places, progress)
        return Profile(schema=SCHEMA, portrait=portrait_of(places, pool_id, progress))

    try:
        made = make(places)
    except PoolError as error:
        if pool is not None:
            raise
        typer.echo(textwrap.fill(f"no portrait of the subset: {error}", 80), err=True)
        made = make(replace(places, pool=None))
    if made.portrait is None and made.curve is None:
        return parts
    typer.echo(f"{'profile':12}{_said(made)}", err=True)
    return replace(parts, fields=parts.fields | {"profile": made.as_json()})


def _said(profile: "Profile") -> str:
    found = []
    if (portrait := profile.portrait) is not None:
        captions = len(portrait.kept_captions) + len(portrait.dropped_captions)
        found.append(f"{portrait.rows_read:,} rows of the pool, {captions} captions")
    if profile.curve is not None:
        found.append(f"{len(profile.curve.samples)} points of the curve")
    return ", ".join(found)
