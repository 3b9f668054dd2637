"""`datacomp admin`: what organisers do, directly on the service's folder and database.

Every command finds the service's `Settings` in `context.obj`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.lazy import LazyGroup
from datacomp.errors import UsageError, require
from datacomp.workspace import Workspace

if TYPE_CHECKING:
    from datacomp_server import Settings

# Name to one line of help; `app` of datacomp.cli.admin_NAME, as in datacomp.cli.main.
COMMANDS = {
    "account": "Create, list, end accounts; make organisers.",
    "team": "Found and list teams; add members; invite.",
    "token": "Create, list and revoke API tokens.",
    "check": "Have a submission checked again that could not be.",
    "verify": "Have workers measure a submission again.",
    "mark": "Mark, challenge, withdraw or disqualify a submission.",
    "board": "List, open, close and rule boards.",
    "budget": "Show and grant what teams may spend.",
    "audit": "Commit to, draw, verify, check and list random audits.",
    "verify-log": "Check that the chain of events is whole.",
    "export": "Write everything public as plain files.",
    "backup": "Save all of the service in one folder, while it runs.",
    "restore": "Read a backup into an empty service.",
    "gc": "Remove uploads that rest and files that nothing names.",
}


class _Commands(LazyGroup):
    known, prefix = COMMANDS, "datacomp.cli.admin_"


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False)


@app.callback()
def admin(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the service. Default: the workspace's.")
    ] = None,
) -> None:
    """Manage a service, on the machine that holds it.

    It works on the folder and database that DATACOMP_SERVER_* name, while the service runs or not.
    """
    context.obj = settings_of(data)


def settings_of(data: Path | None) -> "Settings":
    """The service's settings: its folder from `--data`, the environment, or the workspace.

    `UsageError` for a variable with an impossible value.
    """
    require("datacomp_server", extra="server")
    if data is not None:
        return _read(data)
    found = _read()
    if "data_dir" in found.model_fields_set:
        return found
    return _read(Workspace.find().service_dir)


def _read(folder: Path | None = None) -> "Settings":
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from datacomp_server import Settings

    try:
        return Settings() if folder is None else Settings(data_dir=folder)
    except SettingsError as error:  # not JSON where JSON is wanted
        raise UsageError(f"the environment's DATACOMP_SERVER_*: {error}") from error
    except ValidationError as error:
        # The values stay out of it: some are secrets.
        wrong = "; ".join(
            f"DATACOMP_SERVER_{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}"
            for one in error.errors(include_input=False)
        )
        raise UsageError(f"{wrong}. docs/operations.md has every setting") from error
