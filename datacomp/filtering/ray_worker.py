"""What runs on the nodes of a Ray cluster: a worker that takes up described work, job by job.

Knows nothing of Ray but that somebody calls it. Before the first job it makes sure that it works
for the same store, on the same pool, and with the same code as whoever sends the jobs.
"""

import contextlib
import importlib.util
import inspect
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datacomp.errors import DatacompError, FilterError
from datacomp.files import sha256_json
from datacomp.filtering.contract import Filter
from datacomp.filtering.executor import Call, open_work
from datacomp.filtering.registry import FILTERS, load_plugin
from datacomp.filtering.spec import PLUGIN_PREFIX, leaves
from datacomp.filtering.work import Job, Outcome, Work
from datacomp.pool import Pool


@dataclass(frozen=True)
class PluginSource:
    """A plugin file to be run on nodes that may not have it, under the module name it has here."""

    path: str
    module: str
    code: bytes


@dataclass(frozen=True)
class Order:
    """What a worker is told: the work, where the sender stands, and what it must find there.

    `token` is a file of the store with the text `secret`; `pool` is `pool_digest`; `steps` are
    (name, key) of the steps.
    """

    call: Call
    device: str
    plugins: tuple[PluginSource, ...]
    folder: str
    environment: tuple[tuple[str, str], ...]
    token: str
    secret: str
    pool: str
    steps: tuple[tuple[str, str], ...]


class RayWorker:
    """Made on a node; answers with outcomes."""

    def open(self, order: Order) -> str | None:
        """Take up the work; returns what is wrong with this node, in words, or None."""
        try:
            self._work = _open(order)
            _demand_the_same(order, self._work)
        except DatacompError as error:
            return f"the worker on {socket.gethostname()} cannot take part: {error}"
        return None

    def attempt(self, job: Job) -> list[Outcome]:
        """Compute one part and store it."""
        return self._work.attempt(job)


def plugin_sources(chosen: Filter) -> tuple[PluginSource, ...]:
    """The code of the plugin files that the filters of a tree come from."""
    names = {type(leaf).__module__ for leaf in leaves(chosen)}
    files = {name: sys.modules[name].__file__ for name in names if name.startswith(PLUGIN_PREFIX)}
    return tuple(
        PluginSource(file, name, Path(file).read_bytes())
        for name, file in sorted(files.items())
        if file is not None
    )


def pool_digest(pool: Pool) -> str:
    """A hash of the names, rows and columns of a pool's parts."""
    return sha256_json([[part.name, part.n_rows, list(part.columns)] for part in pool.parts])


def _open(order: Order) -> Work:
    # Relative paths and the cache's place mean what they mean to the sender, as far as can be.
    with contextlib.suppress(OSError):
        os.chdir(order.folder)
    os.environ.update(order.environment)
    _demand_store(order)
    with tempfile.TemporaryDirectory() as folder:
        for plugin in order.plugins:
            _install(plugin, Path(folder))
        return open_work(replace(order.call, plugins=()), order.device)


def _install(plugin: PluginSource, folder: Path) -> None:
    """Run the plugin file; from a copy in `folder` where the node does not have the same file."""
    path = Path(plugin.path)
    if path.is_file() and path.read_bytes() == plugin.code:
        load_plugin(path)
        return
    copy = folder / plugin.module / path.name
    copy.parent.mkdir()
    copy.write_bytes(plugin.code)
    spec = importlib.util.spec_from_file_location(plugin.module, copy)
    assert spec is not None, "the sender loaded it too"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[plugin.module] = module
    spec.loader.exec_module(module)
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if not issubclass(kind, Filter) or inspect.isabstract(kind):
            continue
        if kind.__module__ == plugin.module:
            FILTERS.add(kind.name, kind, origin=plugin.path)


def _demand_store(order: Order) -> None:
    store = Path(order.call.store_dir)
    try:
        found = (store / order.token).read_text()
    except OSError as error:
        raise FilterError(
            f"the score store {store} there is not the one here ({error}). Workers write their "
            "results themselves: put the store on a file system that all nodes mount at the same "
            "path, and name it with --store"
        ) from error
    if found != order.secret or not os.access(store, os.W_OK):
        raise FilterError(f"the score store {store} cannot be written there")


def _demand_the_same(order: Order, work: Work) -> None:
    if pool_digest(work.pool) != order.pool:
        raise FilterError(
            f"the pool {order.call.pool_url} there has {len(work.pool.parts):,} parts with "
            f"{work.pool.n_rows:,} rows, and is not the one here. All nodes must reach the same "
            "pool by the same path or URL"
        )
    keys = [(spec.name, spec.key) for spec in work.specs]
    if differing := _differing(keys, order.steps):
        raise FilterError(
            f"step {differing!r} there would compute something else than here: another version "
            "of its package, or another asset file. Install the same versions on all nodes"
        )


def _differing(there: Sequence[tuple[str, str]], here: Sequence[tuple[str, str]]) -> str | None:
    pairs = (a for a, b in zip(there, here, strict=True) if a != b)
    return next((name for name, _ in pairs), None)
