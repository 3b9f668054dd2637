"""The tree of a sandbox's processes, read while they come and go."""

import os
import subprocess
import sys
from pathlib import Path

from datacomp.worker.sandbox import tree


def test_children_are_found_and_gone_ones_are_none():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in tree.children(os.getpid())
        child.communicate(b"\n")
    assert tree.children(child.pid) == []


def test_a_process_that_ends_between_two_looks_is_no_error(monkeypatch):
    def gone(path):
        raise ProcessLookupError(path)

    monkeypatch.setattr(Path, "iterdir", gone)
    assert tree.children(1) == []
    assert tree.held(1, 2**40).memory_bytes >= 0
