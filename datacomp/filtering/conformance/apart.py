"""Checks that need another process: imports, network, files, and the same result over there."""

from unittest import SkipTest

from datacomp.filtering.conformance.compare import demand_same_run, stable
from datacomp.filtering.conformance.elsewhere import Seen
from datacomp.filtering.conformance.kit import Broken, listing
from datacomp.filtering.conformance.subject import Subject
from datacomp.filtering.work import told

SLOWER_THAN_ENGINE = 2.0
"""How much of the engine's own import time a filter's may cost: it is paid at `filter list`."""


def check_light_import(subject: Subject) -> None:
    """Importing it is quick and loads nothing heavy."""
    facts = _seen(subject).facts
    mend = "Import what is heavy inside open() or fit(): `datacomp filter list` imports the module."
    if "heavy" not in facts:
        raise SkipTest("it cannot be imported in a fresh process: see other_process")
    if facts["heavy"]:
        raise Broken("no heavy package at import", listing(facts["heavy"]), mend)
    share = facts["import_seconds"] / facts["engine_seconds"]
    if share > SLOWER_THAN_ENGINE:
        raise Broken(
            f"less than {SLOWER_THAN_ENGINE:g} times the CPU time of importing the engine",
            f"{share:.1f} times: {facts['import_seconds']:.1f} s",
            mend,
        )


def check_no_network(subject: Subject) -> None:
    """Nothing reaches for the network."""
    if targets := _seen(subject).facts["network"]:
        raise Broken(
            "no attempt to reach the network",
            listing(dict.fromkeys(targets)),
            "Declare the file as an Asset and load it from its path (local_files_only=True).",
        )
    _demand_end(subject)


def check_files(subject: Subject) -> None:
    """It touches no file but temporary ones."""
    if written := _seen(subject).facts["written"]:
        raise Broken(
            "no file touched but in temporary folders and caches",
            listing(list(dict.fromkeys(written))[:5]),
            "Return columns: the engine stores them. Use tempfile for what must be on disk.",
        )
    _demand_end(subject)


def check_other_process(subject: Subject) -> None:
    """Another process computes the same."""
    ordinary, seen = stable(subject), _seen(subject)
    mend = "Take nothing from this process: no globals set at run time, no hash() of strings."
    if error := seen.facts["error"]:
        raise Broken("it runs in a fresh process without a network", error, mend)
    how = "in another process, where strings hash otherwise"
    demand_same_run(ordinary, subject.run(subject.pool, store=seen.store), subject.steps, how, mend)
    if seen.facts["subset"] != ordinary.result.subset.sha256:
        raise Broken(f"the same subset {how}", "another one", mend)


def _demand_end(subject: Subject) -> None:
    if subject.elsewhere.facts["error"]:
        raise SkipTest("it does not run in a fresh process: see other_process")


def _seen(subject: Subject) -> Seen:
    try:
        return subject.elsewhere
    except SkipTest:
        raise
    except Exception as error:
        raise Broken(
            "it runs in a fresh process", told(error), "Mend what ends that process."
        ) from error
