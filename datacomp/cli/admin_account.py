"""`datacomp admin account`: people's accounts, and who organises."""

from typing import Annotated

import typer

from datacomp.cli.options import ask

app = typer.Typer(no_args_is_help=True, help="Create, list, end accounts; make organisers.")

NameArgument = Annotated[str, typer.Argument(help="The account's name.")]


@app.command()
def create(
    context: typer.Context,
    name: NameArgument,
    organiser: Annotated[bool, typer.Option("--organiser", help="It may do everything.")] = False,
) -> None:
    """Make an account. Its password is asked for, or read from a pipe."""
    from datacomp_server.identity import accounts
    from datacomp_server.running import opened

    with opened(context.obj) as service:
        stored, moment = accounts.new_password(name, ask("Password", hide=True)), service.clock()
        with service.database.writing() as session:
            made = accounts.create(session, name, password_hash=stored, moment=moment)
            if organiser:
                accounts.set_organiser(session, made, True, moment=moment)
    typer.echo(f"account {made.name!r} is made" + (", as organiser" if organiser else ""))


@app.command("list")
def list_(context: typer.Context) -> None:
    """List every account: name, teams, whether it organises, whether it was ended."""
    from rich.console import Console
    from rich.table import Table

    from datacomp_server.identity import repository
    from datacomp_server.running import opened

    table = Table("name", "teams", "signs in by", "state", box=None)
    with opened(context.obj) as service, service.database.reading() as session:
        for account in repository.accounts(session):
            teams = ", ".join(m.team.name for m in repository.memberships_of(session, account.id))
            doors = ["password"] * bool(account.password_hash)
            doors += ["provider"] * bool(account.oidc_subject)
            state = "ended" if account.disabled_at else "organiser" if account.organiser else ""
            table.add_row(account.name, teams, " and ".join(doors), state)
    Console().print(table)


@app.command()
def password(context: typer.Context, name: NameArgument) -> None:
    """Set a password anew; every browser that is signed in is signed out."""
    from datacomp_server.identity import accounts
    from datacomp_server.running import opened

    with opened(context.obj) as service:
        stored = accounts.new_password(name, ask("Password", hide=True))
        with service.database.writing() as session:
            accounts.change_password(session, accounts.of_name(session, name).id, stored)
    typer.echo(f"account {name!r} has a new password")


@app.command()
def organiser(
    context: typer.Context,
    name: NameArgument,
    remove: Annotated[bool, typer.Option("--remove", help="Take the office away.")] = False,
) -> None:
    """Make an account an organiser. Its admin tokens end with the office."""
    from datacomp_server.identity import accounts
    from datacomp_server.running import opened

    with opened(context.obj) as service, service.database.writing() as session:
        account = accounts.of_name(session, name)
        accounts.set_organiser(session, account, not remove, moment=service.clock())
    typer.echo(f"account {name!r} {'no longer organises' if remove else 'organises'}")


@app.command()
def end(
    context: typer.Context,
    name: NameArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Let it in again.")] = False,
) -> None:
    """End an account: its sessions and tokens are good no more. What it submitted stays."""
    from datacomp_server.identity import accounts
    from datacomp_server.running import opened

    with opened(context.obj) as service, service.database.writing() as session:
        account = accounts.of_name(session, name)
        accounts.set_enabled(session, account, undo, moment=service.clock())
    typer.echo(f"account {name!r} is {'let in again' if undo else 'ended'}")
