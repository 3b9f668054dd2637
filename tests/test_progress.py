"""What long work tells where there is no terminal: how far it came, how fast, how long still."""

import pytest

from datacomp import progress as told
from datacomp.progress import progress


@pytest.fixture
def after(monkeypatch):
    """`after(seconds)` moves the only clock that counts."""
    now = [100.0]
    monkeypatch.setattr(told.time, "monotonic", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


@pytest.mark.parametrize(
    ("seconds", "n", "line"),
    [
        (10, 20_000, "work: 20,000/40,000 rows, 2,000/s, 10 s left\n"),
        (40, 10, "work: 10/40,000 rows, 0.25/s, 159960 s left\n"),
        (10, 0, "work: 0/40,000 rows, 0/s, unknown time left\n"),
    ],
)
def test_a_line_has_a_rate_that_can_be_read(after, capsys, seconds, n, line):
    with progress("work", 40_000) as bar:
        after(seconds)
        bar.advance(n)

    assert capsys.readouterr().err == line


def test_lines_come_every_few_seconds_and_at_the_end(after, capsys):
    with progress("work", 3, unit="jobs") as bar:
        for _ in range(3):
            after(4)
            bar.advance(note="mine")

    assert capsys.readouterr().err.splitlines() == ["work: 3/3 jobs, 0.25/s, 0 s left  mine"]
