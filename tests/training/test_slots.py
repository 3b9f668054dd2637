"""Sums in memory that threads share here as processes do; with real ones: `test_distributed.py`."""

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import torch
from torch import Tensor

from datacomp.training import slots
from datacomp.training.distributed import _on_own_cores
from datacomp.training.neighbours import Neighbours, meet
from support.processes import BOUND_SECONDS


@pytest.fixture(autouse=True)
def small_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 KiB, so that sums come in parts."""
    monkeypatch.setattr(slots, "SLOT_BYTES", 2**14)


def in_threads(world: int, work: Callable[[int, Neighbours], object]) -> list[object]:
    """What `work` returns in each of `world` threads that have met."""
    barrier, told = Barrier(world, timeout=BOUND_SECONDS), [b""] * world

    def join(rank: int) -> object:
        def tell(data: bytes) -> list[bytes]:
            assert data  # as of `Ranks.join`
            told[rank] = data
            barrier.wait()
            found = list(told)
            barrier.wait()
            return found

        met = meet(rank, world, tell)
        assert met
        try:
            return work(rank, met)
        finally:
            met.close()

    with ThreadPoolExecutor(world) as pool:
        return list(pool.map(join, range(world)))


def tensors_of(rank: int, round_: int, kind: torch.dtype = torch.float32) -> list[Tensor]:
    """Of several layouts, one larger than a slot, two empty."""
    seed = torch.Generator().manual_seed(100 * round_ + rank)
    shapes = ((), (3, 5), (0,), (8, 4, 3, 3), (70, 100), (0, 2), (5000,))
    found = [torch.randn(shape, generator=seed).mul(1000).to(kind) for shape in shapes]
    found[3] = found[3].contiguous(memory_format=torch.channels_last)
    found.append(found[1].clone().T)
    return found


def summed(world: int, round_: int, kind: torch.dtype = torch.float32) -> list[Tensor]:
    whole = tensors_of(0, round_, kind)
    for rank in range(1, world):
        for total, one in zip(whole, tensors_of(rank, round_, kind), strict=True):
            total += one
    return whole


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
@pytest.mark.parametrize("world", [2, 4])
def test_all_have_the_sum_in_the_order_of_ranks(world: int, kind: torch.dtype) -> None:
    def work(rank: int, met: Neighbours) -> list[Tensor]:
        held = tensors_of(rank, 0, kind)
        assert met.sum(held)
        assert met.sum([])
        return held

    for found in in_threads(world, work):
        assert isinstance(found, list)
        assert all(map(torch.equal, found, summed(world, 0, kind)))


@pytest.mark.parametrize("world", [2, 3])
def test_however_late_one_is_no_sum_is_of_another_round(world: int) -> None:
    rounds = 60
    expected = [summed(world, number) for number in range(rounds)]

    def work(rank: int, met: Neighbours) -> bool:
        late, stacked = random.Random(rank), torch.arange(world)
        sound = True
        for number in range(rounds):
            held = tensors_of(rank, number)
            time.sleep(late.choice((0, 0, 0.001, 0.003)))
            met.sum(held)
            sound &= all(map(torch.equal, held, expected[number]))
            if number % 3 == 0:
                sound &= torch.equal(met.stack(torch.tensor(rank)), stacked)
        return sound

    assert in_threads(world, work) == [True] * world


def refused(*_: object) -> int:
    raise OSError("not here")


@pytest.mark.parametrize("missing", ["memfd_create", "posix_fallocate", "mmap", "room"])
def test_without_such_memory_all_go_another_way(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "memfd_create":
        monkeypatch.delattr(os, missing)
    elif missing == "posix_fallocate":
        monkeypatch.setattr(os, missing, refused)
    elif missing == "mmap":
        monkeypatch.setattr(slots.mmap, missing, refused)
    else:
        monkeypatch.setattr(slots, "MAX_WORLD", 1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert in_threads(2, lambda _, met: met.sum([torch.zeros(3)])) == [False, False]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system binds nothing")
def test_each_process_has_its_cores_and_gives_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cores, bound = {2, 3, 5, 7}, []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(cores))
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, given: bound.append(set(given)))

    def bound_in(device: str, local: int, n: int) -> list[set[int]]:
        bound.clear()
        environ = {"LOCAL_RANK": str(local), "LOCAL_WORLD_SIZE": str(n)}
        with pytest.raises(ZeroDivisionError), _on_own_cores(device, environ):
            raise ZeroDivisionError
        return list(bound)

    assert bound_in("cpu", 0, 2) == [{2, 3}, cores]
    assert bound_in("cpu", 1, 2) == [{5, 7}, cores]
    assert bound_in("cpu", 2, 3) == [{5, 7}, cores]
    assert bound_in("cpu", 0, 5) == bound_in("cpu", 0, 1) == bound_in("cuda", 0, 2) == []
