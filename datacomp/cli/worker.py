"""`datacomp worker`: work for a service on this machine."""

import os
import re
import signal
import socket
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datacomp.cli.options import TokenOption, UrlOption
from datacomp.credentials import TOKEN_VARIABLE
from datacomp.errors import UsageError

if TYPE_CHECKING:
    from datacomp.client.connection import Connection
    from datacomp.worker.agent import Agent
    from datacomp.worker.executors import Executor
    from datacomp.worker.machine import Machine
    from datacomp.worker.state import State

app = typer.Typer(add_completion=False)

CACHE_BYTES = 64 * 2**30
_SLURM = "With --executor slurm"


class ExecutorName(StrEnum):
    """Where tasks run."""

    LOCAL = "local"
    SLURM = "slurm"


@app.command()
def worker(
    url: UrlOption = None,
    token: TokenOption = None,
    pool: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="A pool that is here; may be repeated."),
    ] = None,
    eval_data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Evaluation sets of datacomp38, for small and up."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="SCALES", help="Such as smoke,tiny. Default: what the device can."),
    ] = None,
    byod: Annotated[
        bool, typer.Option("--byod", help="Train on own data: follow addresses of teams.")
    ] = False,
    byod_network: Annotated[
        list[str] | None,
        typer.Option(metavar="NET", help="That they may lead to, though it is not public."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The same after each restart. Default: the host's.")
    ] = None,
    state: Annotated[
        Path, typer.Option(metavar="DIR", help="Key, cache and unfinished jobs.")
    ] = Path("worker"),
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="At a time.")] = 1,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda. Default: GPUs if there are any.")
    ] = None,
    decode_threads: Annotated[
        int, typer.Option(min=1, metavar="N", help="That decode pictures.")
    ] = 1,
    executor: Annotated[ExecutorName, typer.Option(help="Where tasks run.")] = ExecutorName.LOCAL,
    once: Annotated[bool, typer.Option("--once", help="End when there is no job.")] = False,
    partition: Annotated[str | None, typer.Option(rich_help_panel=_SLURM)] = None,
    gpus: Annotated[int, typer.Option(min=0, metavar="N", rich_help_panel=_SLURM)] = 1,
    cpus: Annotated[int, typer.Option(min=1, metavar="N", rich_help_panel=_SLURM)] = 8,
    memory_gb: Annotated[int, typer.Option(min=1, metavar="N", rich_help_panel=_SLURM)] = 64,
    hours: Annotated[
        float, typer.Option(min=0.1, help="Longer jobs go on in another.", rich_help_panel=_SLURM)
    ] = 24.0,
    slurm: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Another option of sbatch.", rich_help_panel=_SLURM),
    ] = None,
) -> None:
    """Train and evaluate submissions for a service, as it has jobs.

    Killed at any moment, the same command takes its jobs up again. At SIGTERM
    and ^C it stops them, saved, gives them back and ends.
    """
    from datacomp.client.connection import Connection
    from datacomp.credentials import token_for
    from datacomp.worker.state import State
    from datacomp.workspace import Workspace

    address = url or Workspace.find().service
    token = token_for(address, token)
    os.environ.pop(TOKEN_VARIABLE, None)  # what this starts must not learn it
    if byod_network and not byod:
        raise UsageError("--byod-network says where addresses may lead; it goes with --byod")
    networks = tuple(byod_network or ()) if byod else None
    machine = _machine(pool or [], classes, eval_data, device, decode_threads, networks)
    runs_on = (
        _local(jobs, machine)
        if executor is ExecutorName.LOCAL
        else _slurm(partition, gpus, cpus, memory_gb, hours, slurm or [])
    )
    folder = State(state.resolve())
    with folder.held(), Connection(address, token) as connection:
        called = name or re.sub(r"[^A-Za-z0-9_.@-]", "-", socket.gethostname())[:60]
        agent = _agent(folder, connection, machine, runs_on, called, executor, jobs, once)
        _print_plan(agent, address, machine, executor)
        _stop_at_signals(agent)
        agent.run()
    if once and agent.ended["infrastructure"]:
        raise typer.Exit(1)


def _machine(
    pools: list[str],
    classes: str | None,
    eval_data: Path | None,
    device: str | None,
    decode_threads: int,
    byod: tuple[str, ...] | None,
) -> "Machine":
    from datacomp.worker.machine import (
        Machine,
        count_gpus,
        default_classes,
        demand_classes,
        open_pools,
        with_own_data,
    )

    n_gpus = 0 if device == "cpu" else count_gpus()
    if device not in (None, "cpu", "cuda") or (device == "cuda" and not n_gpus):
        raise UsageError(f"--device {device} cannot be used: {n_gpus} GPUs were found here")
    data = str(eval_data.resolve()) if eval_data else None
    chosen = tuple(classes.split(",")) if classes else default_classes(n_gpus, data)
    demand_classes(chosen, data)
    return Machine(
        classes=chosen if byod is None else with_own_data(chosen, byod),
        byod=byod,
        pools=open_pools([_absolute(one) for one in pools]),
        device="cuda" if n_gpus else "cpu",
        gpus=tuple(range(n_gpus)),
        eval_data=data,
        decode_threads=decode_threads,
    )


def _absolute(pool: str) -> str:
    return pool if "://" in pool else str(Path(pool).resolve())


def _local(jobs: int, machine: "Machine") -> "Executor":
    from datacomp.worker.executors import LocalExecutor

    if machine.gpus and jobs > len(machine.gpus):
        raise UsageError(f"--jobs {jobs} with {len(machine.gpus)} GPUs: a job needs one at least")
    return LocalExecutor(jobs, machine.gpus)


def _slurm(
    partition: str | None, gpus: int, cpus: int, memory_gb: int, hours: float, more: list[str]
) -> "Executor":
    from datacomp.worker.executors import SlurmExecutor

    others: dict[str, Any] = dict(_pair(text) for text in more)
    if partition is not None:
        others["partition"] = partition
    return SlurmExecutor(
        {
            "nodes": 1,
            "tasks_per_node": max(1, gpus),
            "gpus_per_node": gpus,
            "cpus_per_task": cpus,
            "mem_gb": memory_gb,
            "timeout_min": int(hours * 60),
            "name": "datacomp",
            "slurm_additional_parameters": others,
        }
    )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--slurm takes KEY=VALUE, such as qos=high; got {text!r}")
    return key, value


def _agent(
    folder: "State",
    connection: "Connection",
    machine: "Machine",
    executor: "Executor",
    name: str,
    executor_name: str,
    jobs: int,
    once: bool,
) -> "Agent":
    from datacomp.client.worker import Advert, WorkerClient
    from datacomp.worker.agent import Agent
    from datacomp.worker.cache import Cache
    from datacomp.worker.signing import Signer
    from datacomp.worker.site import Site

    client = WorkerClient(connection)
    site = Site(
        client=client,
        state=folder,
        cache=Cache(folder.cache, CACHE_BYTES),
        executor=executor,
        machine=machine,
        signer=Signer(client, name, folder.key()),
        stopping=threading.Event(),
    )
    advert = Advert(name, machine.classes, list(machine.pools), machine.facts(executor_name))
    return Agent(site, advert, say=typer.echo, jobs=jobs, once=once)


def _print_plan(agent: "Agent", address: str, machine: "Machine", executor: str) -> None:
    from datacomp.worker.machine import BYOD, PLUGINS
    from datacomp.worker.plugins import unable

    device = f"{len(machine.gpus)} GPUs" if machine.gpus else "cpu"
    typer.echo(f"worker   {agent.advert.name}, for {address}")
    scales = [name for name in machine.classes if not name.endswith(BYOD)]
    typer.echo(f"does     {', '.join(scales)}; on {device}, {executor} executor")
    for pool_id, url in machine.pools.items():
        typer.echo(f"pool     {pool_id[:12]}  {url}")
    if not machine.pools:
        other = "no training" if machine.byod is None else "training on own data only"
        typer.echo(f"pool     none: {other}. Name one with --pool")
    if machine.byod is not None:
        also = "".join(f", {network}" for network in machine.byod)
        typer.echo(f"byod     addresses of teams are followed: public hosts{also}")
    if PLUGINS not in machine.classes:
        typer.echo(f"plugins  none: {unable() or 'not among --classes'}")
    typer.echo(f"state    {agent.site.state.root}")


def _stop_at_signals(agent: "Agent") -> None:
    """The first SIGTERM or ^C stops gently; a second one ends at once, jobs go on without it."""

    def stop(number: int, _: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        typer.echo("stopping: jobs save and are given back. Again: end at once")
        # In a thread: the handler may have interrupted one that holds what `stop` needs.
        threading.Thread(target=agent.stop).start()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
