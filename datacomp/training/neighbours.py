"""Messages between the processes of one host, over sockets of its own, and sums in shared memory.

gloo passes each message on through three threads and TCP; batch normalisation waits for dozens a
step, and was half of what two processes spent on each other. A Unix socket wakes one thread.
"""

import mmap
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from datacomp.errors import TrainingError
from datacomp.training.slots import Slots, share_memory, slots_size

# Two of the largest messages fit into a socket's buffer, so that all may send before they read.
MAX_BYTES = 64 * 2**10
# A message is looked for about 0.1 ms before the thread sleeps: to wake it takes as long.
LOOKS = 100
# The system's bound on the path of a socket, less its end.
MAX_PATH = 100


class Neighbours:
    """A socket to each of the other processes, and where there is any, `memory` for large sums."""

    def __init__(
        self, rank: int, links: dict[int, socket.socket], memory: mmap.mmap | None = None
    ) -> None:
        self._rank, self._links = rank, links
        self._slots = Slots(rank, len(links) + 1, memory, self._wait) if memory else None

    def stack(self, mine: Tensor) -> Tensor:
        """(world, *shape) of what each process holds: a CPU tensor of at most `MAX_BYTES`."""
        found = mine.new_empty((len(self._links) + 1, mine.numel()))
        found[self._rank] = mine.detach().reshape(-1)
        rows = found.view(torch.uint8).numpy()
        try:
            for link in self._links.values():
                link.sendall(rows[self._rank])
            for rank, link in self._links.items():
                _fill(memoryview(rows[rank]), link, rank)
        except ConnectionError as error:
            raise TrainingError(f"another process of this run has ended: {error}") from error
        return found.view(len(found), *mine.shape)

    def sum(self, tensors: Sequence[Tensor]) -> bool:
        """Whether there is memory for it; then each is now its sum over processes, as of `Slots`.

        Raises `TrainingError` if another process has ended.
        """
        if self._slots:
            self._slots.sum(tensors)
        return self._slots is not None

    def memory(self, size: int, tell: Callable[[bytes], list[bytes]]) -> mmap.mmap | None:
        """So many bytes that all processes share; see `share_memory`."""
        return share_memory(self._rank, self._links, tell, size)

    def close(self) -> None:
        """Close all sockets, and let go of the memory."""
        self._slots = None
        for link in self._links.values():
            link.close()

    def _wait(self) -> None:
        self.stack(torch.zeros(1, dtype=torch.uint8))


def meet(rank: int, world: int, tell: Callable[[bytes], list[bytes]]) -> Neighbours | None:
    """Connect all processes; None unless all are of one host and see the same files.

    `tell` exchanges bytes between them. Every process must come here.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as door:
        # Their fellow's folders: what each can see of them says whether it can reach their doors.
        doors = [Path(told.decode()) / "door" for told in tell(folder.encode())]
        seen = all(one.parent.is_dir() and len(bytes(one)) <= MAX_PATH for one in doors)
        if not all(told == b"yes" for told in tell(b"yes" if seen else b"no")):
            return None
        door.bind(str(doors[rank]))
        door.listen(world)
        tell(b"open")
        links = {}
        for other in range(rank):
            links[other] = socket.socket(socket.AF_UNIX)
            links[other].connect(str(doors[other]))
            links[other].sendall(rank.to_bytes(4))
        for _ in range(rank + 1, world):
            link, _ = door.accept()
            links[int.from_bytes(link.recv(4, socket.MSG_WAITALL))] = link
        tell(b"met")
    return Neighbours(rank, links, share_memory(rank, links, tell, slots_size(world)))


def _fill(row: memoryview, link: socket.socket, rank: int) -> None:
    """A signal may cut a message into parts."""
    filled, looks = 0, LOOKS
    while filled < len(row):
        try:
            how = socket.MSG_DONTWAIT if looks else socket.MSG_WAITALL
            n = link.recv_into(row[filled:], flags=how)
        except BlockingIOError:
            looks -= 1
            continue
        if not n:
            raise ConnectionError(f"process {rank} closed its socket")
        filled += n
