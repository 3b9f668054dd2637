"""`datacomp admin team`: teams, their members and invites."""

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Found and list teams; add members; invite.")

TeamArgument = Annotated[str, typer.Argument(help="The team's name.")]


class Role(StrEnum):
    """What somebody is in a team."""

    OWNER = "owner"
    MEMBER = "member"


RoleOption = Annotated[Role, typer.Option(help="An owner invites and removes people.")]


@app.command()
def create(
    context: typer.Context,
    name: TeamArgument,
    owner: Annotated[str, typer.Option(help="Name of the account that owns it.")],
) -> None:
    """Found a team for an account, however many it owns."""
    from datacomp_server.identity import accounts, teams
    from datacomp_server.running import opened

    with opened(context.obj) as service, service.database.writing() as session:
        account = accounts.of_name(session, owner)
        made = teams.found(session, account.id, name, at_most=None, moment=service.clock())
    typer.echo(f"team {made.name!r} is founded, owned by {account.name!r}")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List every team with its members."""
    from rich.console import Console
    from rich.table import Table

    from datacomp_server.identity import repository
    from datacomp_server.running import opened

    table = Table("team", "owners", "members", "founded", box=None)
    with opened(context.obj) as service, service.database.reading() as session:
        for team in repository.teams(session):
            names: dict[str, list[str]] = {"owner": [], "member": []}
            for member in repository.members(session, team.id):
                names[member.role].append(member.account.name)
            owners, members = (", ".join(found) for found in names.values())
            table.add_row(team.name, owners, members, f"{team.created_at:%Y-%m-%d}")
    Console().print(table)


@app.command()
def add(
    context: typer.Context,
    team: TeamArgument,
    account: Annotated[str, typer.Argument(help="Name of the account.")],
    role: RoleOption = Role.MEMBER,
) -> None:
    """Put an account into a team, or change its role there."""
    from datacomp_server.identity import accounts, teams
    from datacomp_server.running import opened

    with opened(context.obj) as service, service.database.writing() as session:
        found, who = teams.of_name(session, team), accounts.of_name(session, account)
        teams.add_member(session, found, who, role.value, moment=service.clock())
    typer.echo(f"{who.name!r} is in {found.name!r} as {role.value}")


@app.command()
def invite(context: typer.Context, team: TeamArgument, role: RoleOption = Role.MEMBER) -> None:
    """Print an invite: it lets one person in, within seven days, and is shown this once."""
    from datacomp_server.identity import teams
    from datacomp_server.running import opened

    with opened(context.obj) as service, service.database.writing() as session:
        found = teams.of_name(session, team)
        secret = teams.invite(session, found.id, role.value, by=None, moment=service.clock())
    typer.echo(secret)
    typer.echo("It is entered at /register, or on the account's page.", err=True)
