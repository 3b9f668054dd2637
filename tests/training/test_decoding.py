"""Threads that read ahead: which of them give way to the computation."""

import os
import threading

import pytest

from datacomp.training.decoding import LOWEST_PRIORITY, thread_pool


def priority():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.parametrize(("cores", "gives_way"), [({0}, True), ({0, 1}, False)])
def test_threads_give_way_where_there_is_one_core(monkeypatch, cores, gives_way):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    here = priority()

    with thread_pool(1, "decode") as pool:
        there = pool.submit(priority).result()

    assert there == (LOWEST_PRIORITY if gives_way else here)
    assert priority() == here
