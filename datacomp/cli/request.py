"""`datacomp request`: have the service do something for a submission, at its team's cost."""

import json as json_module
import textwrap
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datacomp.cli.options import JsonOption, TokenOption, UrlOption
from datacomp.errors import UsageError
from datacomp.workspace import Workspace

if TYPE_CHECKING:
    from datacomp.client import Connection

app = typer.Typer(add_completion=False)

_INDENT = 14


class Goal(StrEnum):
    """What can be asked for."""

    CHECKED = "checked"
    RE_EVALUATED = "re-evaluated"
    RE_TRAINED = "re-trained"
    REPRODUCED = "reproduced"


@app.command()
def request(
    submission_id: Annotated[str, typer.Argument(help="Its id, from: datacomp status")],
    goal: Annotated[
        Goal | None, typer.Argument(help="Without: what each level takes and costs.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Train with this one; may be repeated.")
    ] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    json: JsonOption = False,
) -> None:
    """Have a submission of your team checked again, or measured by workers.

    Checked again is what the service could not check; that costs the submission which was given
    back. The others cost worker hours of your team on that board; what fails by nobody's fault is
    given back.
    """
    from datacomp.client import Connection, submissions
    from datacomp.credentials import token_for

    if seed and goal not in (Goal.RE_TRAINED, Goal.REPRODUCED):
        raise UsageError("--seed is of trainings: name re-trained or reproduced")
    url = url or Workspace.find().service
    with Connection(url, token_for(url, token)) as connection:
        if goal is Goal.CHECKED:
            said = submissions.request_check(connection, submission_id)["state"]
            typer.echo(f"{submission_id}  {said}")
        elif goal is not None:
            ask_for_level(connection, submission_id, goal.value, seed, as_json=json)
        else:
            found = submissions.ways_up(connection, submission_id)
            typer.echo(json_module.dumps(found, indent=2)) if json else _print_ways(found)


def ask_for_level(
    connection: "Connection",
    submission_id: str,
    level: str,
    seeds: list[int] | None,
    *,
    as_json: bool = False,
) -> None:
    """Ask for a level and say what was planned, what it cost, and what is left."""
    from datacomp.client import submissions

    made = submissions.request_level(connection, submission_id, level, seeds)
    if as_json:
        typer.echo(json_module.dumps(made, indent=2))
        return
    _line("queued", f"{', '.join(made['kinds'])}; to be {level}")
    _line("charged", made["charged_in_words"])
    _print_left(made)
    _line("see", f"datacomp status {submission_id}")


def _print_ways(found: dict[str, Any]) -> None:
    _line("now", found["level"])
    for way in found["ways"]:
        if way["refusal"] is None:
            _line(way["level"], f"{way['costs_in_words']}: {', '.join(way['kinds'])}")
        else:
            _line(way["level"], f"not now: {way['refusal']['text']}")
    _print_left(found)
    if any(way["refusal"] is None for way in found["ways"]):
        _line("then", f"datacomp request {found['id']} LEVEL")


def _print_left(budget: dict[str, Any]) -> None:
    _line("left", f"{budget['left_in_words']} of {budget['granted_in_words']}")


def _line(name: str, text: str) -> None:
    wrapped = textwrap.wrap(text, 80 - _INDENT, break_on_hyphens=False)
    typer.echo(f"{name:{_INDENT}}" + f"\n{'':{_INDENT}}".join(wrapped))
