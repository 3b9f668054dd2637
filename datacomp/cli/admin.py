"""`datacomp admin`: what organisers do, directly on the service's folder and database.

Every command finds the service's `Settings` in `context.obj`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.lazy import LazyGroup
from datacomp.errors import require
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
    "board": "List, open and close boards.",
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
    """The service's settings: its folder from `--data`, the environment, or the workspace."""
    require("datacomp_server", extra="server")
    from datacomp_server import Settings

    if data is not None:
        return Settings(data_dir=data)
    found = Settings()
    if "data_dir" in found.model_fields_set:
        return found
    return Settings(data_dir=Workspace.find().service_dir)
