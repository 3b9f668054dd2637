"""`datacomp`, struck by signals at a given moment; run by test_interruption.py, not by pytest.

    STRIKE='{"step": 3, "signals": ["SIGTERM"]}' python struck.py train ...

When the step of that number (from 0, in this process) begins, the process sends itself the signals.
With "state" instead of "step": when the state of that number is written, but has not got its name.
Of several processes that happens to the one of "rank", before torchrun has started them again.
"""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datacomp.cli.main import main
from datacomp.training import checkpoint
from datacomp.training.checkpoint import RESUME
from datacomp.training.step import GradientStep


def struck(function: Callable[..., Any], applies: Callable[..., bool], n: int) -> Any:
    """`function`, before whose n-th call that applies the signals come."""
    left = n

    def call(*args: Any) -> Any:
        nonlocal left
        if applies(*args):
            left -= 1
            if left == -1:
                for name in ORDER["signals"]:
                    os.kill(os.getpid(), signal.Signals[name])
        return function(*args)

    return call


def writes_state(path: Path) -> bool:
    return path.name == RESUME


ORDER = json.loads(os.environ["STRIKE"])
if (
    ORDER.get("rank") in (None, int(os.environ.get("RANK", "0")))
    and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
):
    if "step" in ORDER:
        GradientStep.__call__ = struck(GradientStep.__call__, lambda *_: True, ORDER["step"])
    else:
        checkpoint.sha256_file = struck(checkpoint.sha256_file, writes_state, ORDER["state"])

if __name__ == "__main__":
    main()
