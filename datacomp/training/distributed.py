"""Several processes as one: rows are gathered without autograd, gradients are summed.

Every process knows the loss of the whole batch from gathered features, and pulls back the gradient
by its own rows alone; the sum over processes is the gradient of the batch. What is computed from
gathered rows alone is the same on all processes and is never summed.
"""

import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch.distributed as dist
from torch import Tensor

from datacomp.training.neighbours import MAX_BYTES, Neighbours, meet


@dataclass(frozen=True)
class Ranks:
    """This process's number among `world`; alone, every method is free."""

    rank: int = 0
    world: int = 1
    neighbours: Neighbours | None = None

    def share(self, n: int) -> tuple[int, int]:
        """First and last (exclusive) of the rows out of `n` that are this process's."""
        return n * self.rank // self.world, n * (self.rank + 1) // self.world

    def gather(self, rows: Tensor) -> tuple[Tensor, slice]:
        """All processes' rows in the order of ranks, and where this one's lie.

        The processes may hold different numbers of rows, also none; other dimensions are equal.
        """
        if self.world == 1:
            return rows, slice(0, len(rows))
        sizes = self._sizes(rows)
        padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
        padded[: len(rows)] = rows
        found = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(found, padded)
        first = sum(sizes[: self.rank])
        joined = torch.cat([piece[:size] for piece, size in zip(found, sizes, strict=True)])
        return joined, slice(first, first + len(rows))

    def stack(self, tensor: Tensor) -> Tensor:
        """(world, *shape) of a tensor whose shape is the same on all processes."""
        if self.world == 1:
            return tensor[None]
        if self.neighbours and _is_small(tensor):
            return self.neighbours.stack(tensor)
        found = tensor.new_empty(self.world * tensor.numel())
        dist.all_gather_into_tensor(found, tensor.reshape(-1))
        return found.view(self.world, *tensor.shape)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over processes, in place."""
        if self.neighbours and _is_small(tensor):
            return tensor.copy_(self.neighbours.stack(tensor).sum(0))
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def sum_all(self, tensors: Sequence[Tensor]) -> None:
        """The sum over processes of each, in place: tensors of one dtype on one device.

        In one message: many small ones wait for each other.
        """
        if self.world == 1 or not tensors:
            return
        if self.neighbours and tensors[0].device.type == "cpu" and self.neighbours.sum(tensors):
            return
        flat = self.sum(torch.cat([tensor.reshape(-1) for tensor in tensors]))
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def memory(self, size: int) -> mmap.mmap | None:
        """So many bytes that all processes share; None on all where they cannot."""
        return self.neighbours.memory(size, self.join) if self.neighbours else None

    def join(self, data: bytes) -> list[bytes]:
        """The bytes that each process holds, in the order of ranks."""
        if self.world == 1:
            return [data]
        mine = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        sizes = self._sizes(mine)
        joined, _ = self.gather(mine)
        return [piece.numpy().tobytes() for piece in joined.split(sizes)]

    def any(self, *flags: bool) -> list[bool]:
        """Of each flag whether it is set in any of the processes, in one message."""
        if self.world == 1:
            return list(flags)
        counts = self.sum(torch.tensor(flags, dtype=torch.int32))
        return [count > 0 for count in counts.tolist()]

    def wait(self) -> None:
        """Until all processes have come here."""
        self.sum(torch.zeros(1))

    def copy_first(self, tensor: Tensor) -> Tensor:
        """What the first process holds, in place."""
        if self.world > 1:
            dist.broadcast(tensor, 0)
        return tensor

    def _sizes(self, rows: Tensor) -> list[int]:
        sizes = torch.zeros(self.world, dtype=torch.int64, device=rows.device)
        sizes[self.rank] = len(rows)
        return [int(size) for size in self.sum(sizes)]


def _is_small(tensor: Tensor) -> bool:
    return bool(tensor.device.type == "cpu" and tensor.nbytes <= MAX_BYTES)


@contextmanager
def launched_ranks(device: str) -> Iterator[Ranks]:
    """The processes that torchrun started (NCCL between GPUs, else gloo); alone without it.

    What lies on the CPU goes by gloo also beside GPUs, so that no flag waits for a device. On CUDA
    each takes the GPU of its local rank as its current one. A process group that is there already
    is used, and left as it is.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 and not dist.is_initialized():
        yield Ranks()
        return
    with _on_own_cores(device, os.environ), _group(device):
        ranks = Ranks(dist.get_rank(), dist.get_world_size())
        neighbours = meet(ranks.rank, ranks.world, ranks.join)
        try:
            yield replace(ranks, neighbours=neighbours)
        finally:
            if neighbours:
                neighbours.close()


@contextmanager
def _group(device: str) -> Iterator[None]:
    here = not dist.is_initialized()
    if here:
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        store, rank, world = next(dist.rendezvous("env://"))
        store = dist.PrefixStore(_attempt(os.environ), store)
        backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world)
    try:
        yield
    finally:
        if here:
            dist.destroy_process_group()


@contextmanager
def _on_own_cores(device: str, environ: Mapping[str, str]) -> Iterator[None]:
    """On the CPU, this process's share of the cores that torchrun's processes have of a host.

    The system draws processes that wake each other to one core, though another be idle. Where there
    are fewer cores than processes, or the system binds nothing, all stays as it is.
    """
    local, n = (int(environ.get(f"LOCAL_{name}", "1")) for name in ("RANK", "WORLD_SIZE"))
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if device != "cpu" or not 1 < n <= len(cores):
        yield
        return
    ordered = sorted(cores)
    os.sched_setaffinity(0, ordered[len(ordered) * local // n : len(ordered) * (local + 1) // n])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _attempt(environ: Mapping[str, str]) -> str:
    """What tells a restart by torchrun from the start before, whose store it shares.

    The addresses of processes that are dead lie there (PyTorch issue 135712). Restarts are counted
    a node, so that for several the number would not do: see docs/training.md.
    """
    nodes = environ.get("GROUP_WORLD_SIZE", "1")
    return f"attempt {environ.get('TORCHELASTIC_RESTART_COUNT', '0') if nodes == '1' else ''}"
