"""Inside the sandbox: install a plugin, try it with the conformance kit, or select with it.

    python -m datacomp.worker.plugins.inside check|select ARCHIVE WORKERS

The plugin is at /in/plugin, to be called ARCHIVE; its selection file is at /in/selection.yaml, the
pool at /pool. Of `select` the subset goes to the descriptor that DATACOMP_RESULT_FD names. Whoever
started this trusts nothing of it: the plugin's code runs in this process.
"""

import importlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path
from typing import TYPE_CHECKING

from datacomp.errors import DatacompError
from datacomp.worker.plugins.stages import Stage

if TYPE_CHECKING:
    from datacomp.filtering import Filter

PLUGIN, SELECTION, POOL = Path("/in/plugin"), Path("/in/selection.yaml"), "/pool"
TARGET, SCRATCH = Path("/tmp/plugin"), Path("/tmp/work")
GROUP = "datacomp.filters"
LONGEST = 2000


class StageError(Exception):
    """A stage did not work out; the message is for the log."""

    def __init__(self, stage: Stage, message: str) -> None:
        super().__init__(message)
        self.stage = stage


def main(task: str, archive: str, workers: int) -> None:
    """Do the task; the exit code says how far it came."""
    SCRATCH.mkdir()
    names = _registered(_installed(SCRATCH / archive))
    chosen = _chosen(names)
    if task == "check":
        for name in names:
            _check(name)
    else:
        _select(chosen, workers)


def _installed(archive: Path) -> Distribution:
    """Install the plugin alone; an sdist is built here, with what is installed here."""
    _say("== install the plugin")
    shutil.copyfile(PLUGIN, archive)
    words = ["--isolated", "install", "--no-index", "--no-deps", "--no-build-isolation"]
    words += ["--no-cache-dir", "--no-compile", "--disable-pip-version-check", "--target"]
    pip = [sys.executable, "-P", "-m", "pip", *words, str(TARGET), str(archive)]
    ended = subprocess.run(pip, stdin=subprocess.DEVNULL, check=False)
    importlib.invalidate_caches()
    found = list(distributions(path=[str(TARGET)]))
    if ended.returncode or len(found) != 1:
        raise StageError(Stage.INSTALL, f"pip ended with {ended.returncode}")
    if lacks := _lacking(found[0]):
        raise StageError(Stage.NEEDS, f"not here, or not in that version: {', '.join(lacks)}")
    return found[0]


def _lacking(plugin: Distribution) -> list[str]:
    """What the plugin requires and this environment lacks; extras do not count."""
    from packaging.requirements import InvalidRequirement, Requirement

    lacking = []
    for line in plugin.requires or []:
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            lacking.append(line)
            continue
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            here = version(wanted.name)
        except PackageNotFoundError:
            lacking.append(line)
            continue
        if not wanted.specifier.contains(here, prereleases=True):
            lacking.append(f"{line} (here is {here})")
    return lacking


def _registered(plugin: Distribution) -> list[str]:
    names = [point.name for point in plugin.entry_points if point.group == GROUP]
    if not names:
        raise StageError(Stage.REGISTERED, f"no entry point in the group {GROUP}")
    return names


def _chosen(names: list[str]) -> "Filter":
    from datacomp.filtering.selection_file import read_selection
    from datacomp.filtering.spec import leaves

    _say("== read the selection file")
    try:
        chosen = read_selection(SELECTION)
        used = {leaf.name for leaf in leaves(chosen)}
    except DatacompError as error:
        raise StageError(Stage.SELECTION, str(error)) from error
    if not used & set(names):
        raise StageError(
            Stage.SELECTION,
            f"it selects by {', '.join(sorted(used))}; expected a filter of the plugin's: "
            f"{', '.join(names)}",
        )
    return chosen


def _check(name: str) -> None:
    from datacomp.filtering.conformance import CHECKS, subject_of

    _say(f"== check the filter {name}")
    failed = []
    try:
        subject = subject_of(name)
    except DatacompError as error:
        raise StageError(Stage.CHECK, str(error)) from error
    for check in CHECKS:
        result = check.run(subject)
        _say(f"{result.status:8} {check.name:18} {result.why or check.rule}")
        if result.status == "failed":
            failed.append(check.name)
            told = {"expected": result.expected, "came": result.came, "mend it": result.mend}
            for word, said in told.items():
                _say(f"         {word:8} {said[:LONGEST]}")
    if failed:
        raise StageError(
            Stage.CHECK, f"{name} fails {len(failed)} of {len(CHECKS)} checks: {', '.join(failed)}"
        )


def _select(chosen: "Filter", workers: int) -> None:
    from datacomp.filtering import LocalExecutor, rows_to_pass, run_filter
    from datacomp.pool import open_pool
    from datacomp.progress import progress

    _say("== select")
    subset = SCRATCH / "subset.npy"
    try:
        pool = open_pool(POOL)
        with progress("select", rows_to_pass(chosen, pool), unit="row reads") as shown:
            executor = LocalExecutor(workers)
            run_filter(chosen, pool, SCRATCH / "scores", executor, shown).write(subset)
    except DatacompError as error:
        raise StageError(Stage.RUN, str(error)) from error
    with subset.open("rb") as made, open(int(os.environ["DATACOMP_RESULT_FD"]), "wb") as given:
        shutil.copyfileobj(made, given)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except StageError as error:
        _say(f"error: {error}")
        sys.exit(error.stage)
