"""`make bench`: how close each hot path comes to a limit that is measured in the same run.

A ratio is the median over alternating rounds of the limit's time (or peak memory) over ours: 1.00
is as good as the limit. Machines are noisy, so nothing is asserted and no seconds are shown.

    python tests/bench/__main__.py uids selection      # only some
"""

import importlib
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

AREAS = (
    *("uids", "selection", "capped", "filters", "captions", "flyt", "flyt_scoring"),
    *("reshard", "training", "two_processes", "sequential", "evaluation", "claims", "pages"),
)


def main(areas: list[str]) -> None:
    """Run every benchmark, or those of the areas named, and print a table."""
    table = Table("what", "limit", "ratio", "lowest", "highest", box=None)
    for area in areas or AREAS:
        with tempfile.TemporaryDirectory() as folder:
            for bench in importlib.import_module(area).benches(Path(folder)):
                ratios = bench.ratios()
                figures = (median(ratios), min(ratios), max(ratios))
                table.add_row(
                    bench.name, bench.limit_name, *(f"{figure:.2f}" for figure in figures)
                )
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
