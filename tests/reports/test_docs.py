"""docs/evaluation.md says what the code says: the codes, and the tiny suite's table."""

import inspect
import re
from pathlib import Path

from datacomp.reports import checks, files, load_suite

TEXT = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()


def test_every_code_is_listed() -> None:
    documented = re.findall(r"^\| (E\d{3}) \|", TEXT, re.MULTILINE)
    used = re.findall(r'"(E\d{3})"', inspect.getsource(checks) + inspect.getsource(files))
    assert documented == sorted(set(used))


def test_the_table_of_the_tiny_suite_is_right() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| ([\d,]+) \|.*\| ([\d.]+) \| ([\d.]+) \|", TEXT, re.M
    )
    assert rows == [
        (
            task.key,
            task.groups[0],
            f"{task.n:,}",
            f"{task.chance[task.main_metric]:.4f}",
            f"{task.noise:.4f}",
        )
        for task in load_suite("tiny").tasks
    ]
