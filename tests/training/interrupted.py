"""Train with signals at given moments; run by test_interruption.py, not by pytest.

    python interrupted.py RECIPE POOL FOLDER [SIGNAL SAMPLES]

RECIPE is a recipe's JSON. With SIGNAL, this process sends it to itself once SAMPLES were seen.
"""

import json
import os
import signal
import sys
from pathlib import Path

from datacomp.cli.main import EXIT_STOPPED
from datacomp.errors import StoppedError
from datacomp.pool import open_pool
from datacomp.training import Recipe, Systems, train, whole_pool


class SendAfter:
    """Progress that sends this process a signal once `samples` were seen."""

    def __init__(self, number: signal.Signals, samples: int) -> None:
        self.number, self.left = number, samples

    def advance(self, n: int = 1, note: str = "") -> None:
        before, self.left = self.left, self.left - n
        if self.left <= 0 < before:
            os.kill(os.getpid(), self.number)


def main(recipe: str, pool_folder: str, folder: str, name: str = "", samples: str = "0") -> int:
    pool = open_pool(pool_folder)
    try:
        train(
            Recipe.from_json(json.loads(Path(recipe).read_text())),
            pool,
            whole_pool(pool),
            Path(folder),
            subset_name="all",
            systems=Systems(milestones=True, stop_at_signals=True),
            progress=SendAfter(signal.Signals[name], int(samples)) if name else None,
        )
    except StoppedError as stopped:
        sys.stderr.write(f"{stopped}\n")
        return EXIT_STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
