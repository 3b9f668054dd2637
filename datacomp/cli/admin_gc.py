"""`datacomp admin gc`: remove uploads that rest and files that nothing names."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def gc(
    context: typer.Context,
    execute: Annotated[bool, typer.Option("--execute", help="Remove; else only count.")] = False,
) -> None:
    """Remove expired uploads and artifacts that no submission and no job names.

    The service does this every night; it may go on serving meanwhile.
    """
    from datacomp_server.artifacts.collecting import collect
    from datacomp_server.running import opened

    with opened(context.obj) as service:
        done = collect(service, moment=service.clock(), execute=execute, strays=True)
    verb = "removed" if execute else "would remove (with --execute)"
    typer.echo(
        f"{verb}: {done.uploads:,} uploads, {done.artifacts:,} artifacts of {done.n_bytes:,} "
        f"bytes, {done.stray_files:,} stray files"
    )
