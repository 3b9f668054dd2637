"""Several fetches at once, of which the first failure ends all."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

FETCHES_AT_ONCE = 8

Item = TypeVar("Item")


def in_threads(fetch: Callable[[Item], Path], files: Sequence[Item]) -> Iterator[tuple[Item, Path]]:
    """Fetch several at once, as they come. An error waits for what is under way, ^C does not."""
    todo, results = deque(files), SimpleQueue[tuple[Item, Path | Exception]]()

    def work() -> None:
        while todo:
            try:
                file = todo.popleft()
            except IndexError:  # another took the last one
                return
            try:
                results.put((file, fetch(file)))
            except Exception as error:  # raised where the results are read
                results.put((file, error))

    # Daemons, since an executor's threads keep the interpreter alive until their files are whole.
    threads = [Thread(target=work, daemon=True) for _ in range(min(FETCHES_AT_ONCE, len(files)))]
    for thread in threads:
        thread.start()
    try:
        for _ in files:
            file, result = results.get()
            if isinstance(result, Exception):
                todo.clear()
                for thread in threads:
                    thread.join()
                raise result
            yield file, result
    finally:
        todo.clear()
