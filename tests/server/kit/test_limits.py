"""Rate limits: how many, how soon again, whom they cover. Time is the test's own."""

from datetime import UTC, datetime, timedelta

import pytest

from datacomp_server.kit.errors import TooManyRequests
from datacomp_server.kit.limits import Limiter, Rate, network_of

RATE = Rate(6, 60)


class Clock:
    def __init__(self):
        self.moment = datetime(2026, 11, 23, tzinfo=UTC)

    def __call__(self):
        return self.moment

    def wait(self, seconds):
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limiter(clock):
    return Limiter(clock)


def taken(limiter, key="a", kind="address"):
    """How many in a row are let through."""
    for count in range(100):
        try:
            limiter.take(kind, key, RATE)
        except TooManyRequests:
            return count
    raise AssertionError("no limit")


def test_a_full_bucket_is_spent_at_once_then_fills_evenly(limiter, clock):
    assert taken(limiter) == 6
    assert taken(limiter) == 0
    clock.wait(10)
    assert taken(limiter) == 1
    clock.wait(3600)
    assert taken(limiter) == 6


def test_a_refusal_says_when_to_come_back_and_costs_nothing(limiter, clock):
    taken(limiter)
    clock.wait(4)

    for _ in range(3):
        with pytest.raises(TooManyRequests) as caught:
            limiter.take("address", "a", RATE)

    assert caught.value.headers == {"Retry-After": "6"}
    clock.wait(6)
    limiter.take("address", "a", RATE)


def test_keys_and_kinds_do_not_share(limiter):
    assert [taken(limiter, "a"), taken(limiter, "b"), taken(limiter, "a", "token")] == [6, 6, 6]


def test_what_is_given_back_can_be_taken_again(limiter):
    taken(limiter)
    limiter.give_back("address", "a", RATE)

    assert taken(limiter) == 1


def test_a_clock_that_goes_back_locks_nobody_out_for_longer(limiter, clock):
    taken(limiter)
    clock.wait(-30)
    clock.wait(40)

    assert taken(limiter) == 1


def test_memory_is_bounded_and_the_longest_unseen_go_first(clock):
    limiter = Limiter(clock, max_keys=2)
    taken(limiter, "busy")
    taken(limiter, "other")
    assert taken(limiter, "busy") == 0  # a refusal is a sight, too
    taken(limiter, "third")

    assert taken(limiter, "busy") == 0
    assert taken(limiter, "other") == 6


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_subscriber_is_one_address(address, network):
    assert network_of(address) == network
