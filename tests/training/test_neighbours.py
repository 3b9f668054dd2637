"""Messages over sockets; that all processes find each other is shown with real processes."""

import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import torch

from datacomp.errors import TrainingError
from datacomp.training.neighbours import Neighbours, meet
from support.processes import BOUND_SECONDS

WORLD = 3


def meet_in_threads() -> list[Neighbours | None]:
    """What each of three finds that tell each other bytes."""
    barrier, told = Barrier(WORLD, timeout=BOUND_SECONDS), [b""] * WORLD

    def join(rank: int) -> Neighbours | None:
        def tell(data: bytes) -> list[bytes]:
            told[rank] = data
            barrier.wait()
            found = list(told)
            barrier.wait()
            return found

        return meet(rank, WORLD, tell)

    with ThreadPoolExecutor(WORLD) as pool:
        return list(pool.map(join, range(WORLD)))


def test_each_has_what_all_hold() -> None:
    met = [found for found in meet_in_threads() if found]
    assert len(met) == WORLD
    for kind in (torch.float32, torch.float64, torch.int64, torch.bool):
        for shape in ((), (2, 3), (0,)):
            held = [torch.full(shape, rank, dtype=kind) for rank in range(WORLD)]
            with ThreadPoolExecutor(WORLD) as pool:
                found = list(pool.map(Neighbours.stack, met, held))
            assert all(torch.equal(one, torch.stack(held)) for one in found)
    for one in met:
        one.close()


def test_folders_of_long_names_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ("long" * 30)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 30)))
    assert meet_in_threads() == [None] * WORLD


def test_a_message_in_parts_is_whole_and_an_end_is_told() -> None:
    here, there = socket.socketpair()
    with here, there:
        ours = Neighbours(0, {1: here})
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(ours.stack, torch.zeros(2))
            data = torch.tensor([1.0, 2.0]).numpy().tobytes()
            there.sendall(data[:3])
            there.recv(8, socket.MSG_WAITALL)
            there.sendall(data[3:])
            assert coming.result().tolist() == [[0.0, 0.0], [1.0, 2.0]]
        there.close()
        with pytest.raises(TrainingError, match="another process of this run has ended"):
            ours.stack(torch.zeros(2))
