"""`datacomp status`: where one's submissions stand, one by one or all together."""

import json as json_module
import textwrap
from typing import Annotated, Any

import typer

from datacomp.cli.options import JsonOption, TokenOption, UrlOption
from datacomp.errors import UsageError
from datacomp.workspace import Workspace

app = typer.Typer(add_completion=False)


@app.command()
def status(
    submission_id: Annotated[
        str | None, typer.Argument(help="One submission. Default: the team's newest.")
    ] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many of the team's.")] = 20,
    json: JsonOption = False,
) -> None:
    """Say where submissions stand; of a refused one, every reason."""
    from datacomp.client import Connection, submissions
    from datacomp.client.identity import who_am_i
    from datacomp.credentials import token_for

    url = url or Workspace.find().service
    with Connection(url, token_for(url, token)) as connection:
        if submission_id is not None:
            one = connection.read("get_submission", submission_id=submission_id)
            one["level"] = submissions.level_of(connection, submission_id)
            one["jobs"] = submissions.jobs_of(connection, submission_id)
            typer.echo(json_module.dumps(one, indent=2)) if json else _print_one(one, url)
            return
        kind, _, team = who_am_i(connection).actor.partition(":")
        if kind != "team":
            raise UsageError(f"this token is of the {kind} {team!r}, of no team: name an id")
        found = submissions.own_submissions(connection, team, limit)
        budgets = connection.read("get_budgets", team=team)["budgets"]
    if json:
        typer.echo(json_module.dumps({"submissions": found, "budgets": budgets}, indent=2))
    else:
        _print_table(found)
        _print_budgets(budgets)


def _print_one(one: dict[str, Any], url: str) -> None:
    state = one["state"] + "".join(f", {mark['kind']}" for mark in one["marks"])
    lines = {
        "method": f"{one['method']}, of {one['team']}",
        "board": f"{one['scale']} ({one['track']}), attempt {one['attempt']}",
        "state": state,
        "average": f"{_percent(one['average'])}, {one['level']}",
        "files": ", ".join(f"{f['role']} {f['size']:,} bytes" for f in one["files"]) or "none",
        "page": url.rstrip("/") + one["page"],
    }
    if one["state"] == "uploading":
        lines["state"] += f", files may come until {one['files_until'][:16].replace('T', ' ')} UTC"
    for name, text in lines.items():
        typer.echo(f"{name:9}{text}")
    for job in one["jobs"]:
        _print_wrapped(f"{'job':9}{job['kind']} {job['status']}", _why(job))
    for overlap in one["overlaps"]:
        how = "the same subset as" if overlap["exact"] else f"{overlap['jaccard']:.1%} shared with"
        typer.echo(f"{'subset':9}{how} {overlap['submission']}")
    if one["notice"] is not None:
        _print_notice("notice", one["notice"])
    for finding in one["findings"]:
        _print_wrapped(f"{'reason':9}{finding['code']}", finding["message"] or "its team sees it")


def _print_notice(start: str, notice: dict[str, Any]) -> None:
    _print_wrapped(f"{start:9}{notice['code']}", notice["text"])
    typer.echo(f"{'':9}then: {notice['command']}")


def _print_wrapped(start: str, text: str) -> None:
    typer.echo(textwrap.fill(f"{start}: {text}", 80, subsequent_indent=" " * 11))


def _why(job: dict[str, Any]) -> str:
    if job["reason"] is not None:
        return str(job["reason"]["text"])
    return f"by {job['worker']}" if job["worker"] else "-"


def _print_table(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    if not found:
        typer.echo("no submission yet; the first one: datacomp submit --method NAME")
        return
    number = Column("average", justify="right", no_wrap=True)
    table = Table(Column("id", no_wrap=True), "board", "method", "state", number, box=None)
    for one in found:
        state = one["marks"][-1]["kind"] if one["marks"] else one["state"]
        board = one["scale"] if one["track"] == "filtering" else f"{one['scale']} {one['track']}"
        table.add_row(one["id"], board, one["method"], state, _percent(one["average"]))
    Console(highlight=False).print(table)
    for one in found:
        if one["notice"] is not None:
            _print_notice(f"{one['id']} ", one["notice"])


def _print_budgets(budgets: list[dict[str, Any]]) -> None:
    for one in budgets:
        if one["left"] < one["granted"]:
            board = f"{one['scale']} ({one['track']})"
            typer.echo(f"{board}: {one['left_in_words']} left of {one['granted_in_words']}")


def _percent(average: dict[str, Any]) -> str:
    if average["value"] is None:
        return "-"
    noise = f" ± {100 * average['stderr']:.2f}" if average["stderr"] is not None else ""
    return f"{100 * average['value']:.2f}{noise}"
