"""Memory that the processes of one host share, in which they add up large tensors.

The memory has no name and no file: one process makes it, the others get its descriptor through
their sockets, and it is gone with the last of them. Where the system has no such memory, there is
none, and the caller has another way.
"""

import mmap
import os
import socket
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

# Of one slot. Larger sums are made in parts, so that the memory does not grow with the model.
SLOT_BYTES = 8 * 2**20
# Each process reads all slots: of many, gloo's ring moves less.
MAX_WORLD = 4


def slots_size(world: int) -> int:
    """Bytes of memory that the slots of so many processes take."""
    return 2 * world * SLOT_BYTES


class Slots:
    """Two buffers, each with a slot for every process; `wait` returns when all have called it.

    Sums alternate between the buffers, with one wait in each, after its slots are written. So no
    slot is read before it is written. A slot is written again two sums later: whoever writes it
    has passed the wait of the sum between, which every process enters only when it has read all it
    wants of the sum before. What passes through a socket orders the memory on both of its sides.
    """

    def __init__(
        self, rank: int, world: int, memory: mmap.mmap, wait: Callable[[], object]
    ) -> None:
        self._rank, self._wait, self._turn = rank, wait, 0
        self._bytes = torch.frombuffer(memory, dtype=torch.uint8).view(2, world, SLOT_BYTES)

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Make each its sum over processes, in place, in the order of ranks: the same bytes on all.

        CPU tensors of one dtype and of any layout; all processes call with the same shapes.
        """
        if not tensors:
            return
        kind = tensors[0].dtype
        for group in _groups(tensors, SLOT_BYTES // kind.itemsize):
            slots = self._bytes[self._turn].view(kind)
            self._turn = 1 - self._turn
            sizes = [tensor.numel() for tensor in group]
            rows = [slot[: sum(sizes)].split(sizes) for slot in slots]
            for tensor, mine in zip(group, rows[self._rank], strict=True):
                mine.view(tensor.shape).copy_(tensor)
            self._wait()
            for tensor, *held in zip(group, *rows, strict=True):
                views = [one.view(tensor.shape) for one in held]
                torch.add(views[0], views[1], out=tensor)
                for view in views[2:]:
                    tensor.add_(view)


def share_memory(
    rank: int, links: dict[int, socket.socket], tell: Callable[[bytes], list[bytes]], size: int
) -> mmap.mmap | None:
    """So many bytes, the same on all processes; None on all where any cannot have it.

    `tell` exchanges bytes between them, `links` are Unix sockets to the others. Every process must
    come here.
    """
    if len(links) + 1 > MAX_WORLD:
        return None
    made = _made(size) if rank == 0 else []
    if tell(b"yes" if made else b"no")[0] != b"yes":
        return None
    for link in links.values() if rank == 0 else ():
        socket.send_fds(link, [b"m"], made)
    found = made or socket.recv_fds(links[0], 1, 1)[1]
    memory = _mapped(found, size)
    return memory if set(tell(b"yes" if memory else b"no")) == {b"yes"} else None


def _made(size: int) -> list[int]:
    """A descriptor of so many bytes, none if the system refuses; reserved, so that none lacks."""
    if not hasattr(os, "memfd_create"):
        return []
    try:
        descriptor = os.memfd_create("datacomp-training")
    except OSError:
        return []
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.close(descriptor)
        return []
    return [descriptor]


def _mapped(descriptors: list[int], size: int) -> mmap.mmap | None:
    try:
        return mmap.mmap(descriptors[0], size) if descriptors else None
    except OSError:
        return None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _groups(tensors: Sequence[Tensor], room: int) -> Iterator[list[Tensor]]:
    """As many tensors, or parts of them, as fit together into `room` elements."""
    group: list[Tensor] = []
    free = room
    for tensor in tensors:
        for part in _parts(tensor, room):
            if part.numel() > free:
                yield group
                group, free = [], room
            group.append(part)
            free -= part.numel()
    yield group


def _parts(tensor: Tensor, room: int) -> Iterator[Tensor]:
    """Views of at most `room` elements."""
    if tensor.numel() <= room:
        yield tensor
        return
    longest = max(range(tensor.ndim), key=lambda dim: tensor.shape[dim])
    for half in tensor.chunk(2, longest):
        yield from _parts(half, room)
