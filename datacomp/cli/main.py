"""The `datacomp` command: a group is imported only when it is called; errors become one line."""

import sys

import typer

from datacomp import __version__
from datacomp.cli.lazy import LazyGroup
from datacomp.errors import DatacompError, StoppedError, UsageError

# Name to one line of help. The module of the same name under datacomp.cli holds the `app`; it is
# told here so that --help imports no group. Two words are a command of their own, not a group's:
# `datacomp evaluate download` fetches, a run's folder of that name is reached as ./download.
COMMANDS = {
    "demo": "The whole way on the tiny pool, from pool to board.",
    "pool": "Build, download, index and look at candidate pools.",
    "subset": "Inspect and combine subsets.",
    "filter": "List, explain, run, write and check filters.",
    "assets": "List and fetch the files that filters compute with.",
    "reshard": "Copy a subset's samples into webdataset tars.",
    "train": "Train the fixed recipe of a scale on a subset.",
    "runs": "List training runs, draw their curves.",
    "verify": "Check a run against what it says about itself.",
    "evaluate": "Evaluate a trained run, or a model; writes its report.",
    "evaluate download": "Fetch the evaluation sets of a suite.",
    "report": "Show, compare, check and read evaluation reports.",
    "login": "Sign in to a service and keep its token.",
    "logout": "End this machine's token for a service.",
    "whoami": "Say for whom this machine's token speaks.",
    "submit": "Hand a run in to the service.",
    "status": "Say where submissions stand, and what is left of the budget.",
    "request": "Ask for a submission's check or verification.",
    "withdraw": "Withdraw a submission; it stays, struck out.",
    "verify-log": "Check that a service's log of events is whole.",
    "key": "Make, list and revoke the keys that sign submissions.",
    "serve": "Run the service and the board.",
    "worker": "Train and evaluate submissions for a service.",
    "admin": "Manage a service: accounts, teams, tokens.",
}
EXIT_ERROR, EXIT_USAGE, EXIT_STOPPED, EXIT_INTERRUPTED = 1, 2, 75, 130


class _Commands(LazyGroup):
    known, prefix = COMMANDS, "datacomp.cli."


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"datacomp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """DataComp as software: training is fixed, people compete on the dataset.

    With no paths given, a command works in the workspace: the folder of the nearest datacomp.toml,
    or the current folder.
    """


def main() -> None:
    """Run the command line.

    Exit codes: 0 all of it worked, 1 an error, 2 wrong usage, 130 ^C, and 75 if a signal stopped a
    run that can go on (EX_TEMPFAIL of sysexits.h: a queue may start the same command again).
    """
    try:
        app()
    except UsageError as error:
        _say(error)
        sys.exit(EXIT_USAGE)
    except StoppedError as stopped:
        from datacomp.training.devices import is_first_process

        if is_first_process():
            typer.echo(stopped, err=True)
        sys.exit(EXIT_STOPPED)
    except DatacompError as error:
        _say(error)
        sys.exit(EXIT_ERROR)
    except OSError as error:  # Of a disk that is full, a folder that cannot be written to, ...
        _say(error)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _say(error: Exception) -> None:
    """The message on stderr, in red where there is a terminal to show it."""
    typer.secho(f"error: {error}", fg="red", err=True)
