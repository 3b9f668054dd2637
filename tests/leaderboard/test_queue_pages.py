"""What the queue says of workers and of reasons."""

from datetime import timedelta

import pytest

from datacomp_leaderboard.queue_pages import TeamUse, linked, presence

ULID = "01M82Q25X2QE6C22DMRA906SV0"


@pytest.mark.parametrize(
    ("seconds", "at_work", "state"),
    [
        (4, False, "idle"),
        (70, True, "at work"),
        (-3, False, "idle"),
        (180, True, "silent"),
        (600, False, "silent"),
        (901, True, "away"),
    ],
)
def test_what_a_worker_is(seconds, at_work, state):
    assert presence(timedelta(seconds=seconds), at_work=at_work) == state


def test_jobs_in_a_reason_are_links():
    reason = f"waits for train job {ULID}, which is running"

    assert linked(reason) == (
        ("waits for train job ", False),
        (ULID, True),
        (", which is running", False),
    )
    assert linked("place 1 of 2") == (("place 1 of 2", False),)


def test_the_share_of_a_budget():
    assert TeamUse("A", "tiny", "filtering", 30, 120).share == 0.25
    assert TeamUse("A", "tiny", "filtering", 30, 0).share == 1.0
