"""What the first of a task's processes does for all of them, while the others wait for it."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datacomp.errors import DatacompError
from datacomp.files import write_json
from datacomp.training.devices import is_first_process
from datacomp.worker.orders import Order

_LOOK_SECONDS = 1.0


def once(order: Order, work: Path, name: str, do: Callable[[], Any]) -> Any:
    """What `do` gives, a JSON value; called in the first process, the others are told.

    `DatacompError` in the others if it failed there.
    """
    told = work / f"{name}-{order.meeting_port}.json"  # another port at each start
    if not is_first_process():
        return _waited_for(told)
    told.unlink(missing_ok=True)
    try:
        value = do()
    except BaseException as error:
        write_json(told, {"error": f"{type(error).__name__}: {error}"})
        raise
    write_json(told, {"value": value})
    return value


def _waited_for(told: Path) -> Any:
    parent = os.getppid()
    while not told.exists():
        if os.getppid() != parent:
            raise DatacompError(f"the first process is gone, and left no {told.name}")
        time.sleep(_LOOK_SECONDS)
    found = json.loads(told.read_text())
    if "error" in found:
        raise DatacompError(f"the first process failed: {found['error']}")
    return found["value"]
