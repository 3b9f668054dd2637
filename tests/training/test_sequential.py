"""The order `sequential-lanes/1`, and how sources share batches; not how tars are read."""

import hashlib
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacomp.training.mixture import Mixture, mix, shares, whole_weights
from datacomp.training.sequential import ROWS, WINDOW, LaneOrder, WindowKey, source_seed

COUNTS = st.lists(st.integers(0, 70), min_size=1, max_size=12).filter(any)


def sample_at(order: LaneOrder, key: WindowKey, place: int, held: dict) -> tuple[int, int]:
    window = held.get(key) or held.setdefault(key, order.window(key))
    at = window.order[place]
    return int(window.shards[at]), int(window.rows[at])


def samples(order: LaneOrder, positions: np.ndarray) -> list[tuple[int, int]]:
    """(tar, row) at each position."""
    keys, places = (each.tolist() for each in order.locate(positions))
    held: dict = {}
    return [
        sample_at(order, WindowKey(*key), place, held)
        for key, place in zip(keys, places, strict=True)
    ]


def batches(mixture: Mixture, size: int, steps: int) -> list[list[tuple[int, int, int]]]:
    """(source, tar, row) of each row of each batch."""
    held: list[dict] = [{} for _ in mixture.orders]
    return [
        [
            (
                row.source,
                *sample_at(mixture.orders[row.source], row.key, row.place, held[row.source]),
            )
            for row in mixture.rows(step, 0, size)
        ]
        for step in range(steps)
    ]


def test_the_order_of_the_first_version_stays_what_it_is() -> None:
    """A change here is another sampler version and another recipe id."""
    mixture = mix([[100, 200, 37, 0, 1, 50], [64, 64]], [2, 1.5], 32, 40, seed=3)
    rows = batches(mixture, 32, 40)
    assert hashlib.sha256(repr(rows).encode()).hexdigest()[:16] == "5913a3e074f15e12"
    assert rows[0][:3] == [(0, 5, 7), (0, 1, 192), (0, 2, 22)]


@settings(max_examples=40)
@given(counts=COUNTS, share=st.integers(0, 400), seed=st.integers(0, 2**63))
def test_an_epoch_has_every_sample_once_but_for_a_remainder(
    counts: list[int], share: int, seed: int
) -> None:
    order, every = (
        LaneOrder(counts, share, seed),
        {(t, r) for t, n in enumerate(counts) for r in range(n)},
    )
    size = order.lanes * order.length
    assert 1 <= order.lanes <= max(1, share // ROWS)
    assert len(every) - size < order.lanes
    for epoch in range(2):
        found = samples(order, np.arange(epoch * size, (epoch + 1) * size))
        assert len(set(found)) == len(found) == size
        assert set(found) <= every


@settings(max_examples=20)
@given(counts=COUNTS, share=st.integers(1, 100), cut=st.integers(1, 50))
def test_a_position_has_one_sample_whoever_asks(counts: list[int], share: int, cut: int) -> None:
    order = LaneOrder(counts, share, 7)
    whole = samples(order, np.arange(150))
    again = LaneOrder(counts, share, 7)
    starts = range(0, 150, cut)
    pieces = [samples(again, np.arange(s, min(s + cut, 150))) for s in reversed(starts)][::-1]
    assert whole == [sample for piece in pieces for sample in piece]


def test_the_remainder_is_another_one_in_every_epoch() -> None:
    order = LaneOrder([50], 32, 1)
    size = order.lanes * order.length
    assert (order.lanes, size) == (8, 48)
    left_out = []
    for epoch in range(100):
        found = samples(order, np.arange(epoch * size, (epoch + 1) * size))
        left_out += sorted({(0, row) for row in range(50)} - set(found))
    assert len(left_out) == 200
    assert len(set(left_out)) > 45


@pytest.mark.parametrize(("n", "share"), [(1, 64), (3, 64), (40, 64), (40, 1), (63, 90_112)])
def test_sets_smaller_than_a_batch_have_an_order(n: int, share: int) -> None:
    order = LaneOrder([n], share, 0)
    found = Counter(samples(order, np.arange(10 * n)))
    assert len(found) == n
    assert max(found.values()) <= 10 + 10 * order.lanes / n + 1


def test_epochs_and_sources_have_orders_of_their_own() -> None:
    order = LaneOrder([64] * 8, 64, source_seed(0, 0))
    other = LaneOrder([64] * 8, 64, source_seed(0, 1))
    first, second = (samples(order, np.arange(512 * e, 512 * (e + 1))) for e in (0, 1))
    assert sorted(first) == sorted(second)
    assert first != second
    assert samples(other, np.arange(512)) != first


def test_a_lane_is_read_from_front_to_back() -> None:
    order = LaneOrder([300, 200, 500], 16, 5)
    keys, _ = order.locate(np.arange(order.lanes * order.length))
    for lane in range(order.lanes):
        windows = sorted({tuple(key) for key in keys.tolist() if key[0] == lane})
        read = [
            sample
            for key in windows
            for window in [order.window(WindowKey(*key))]
            for sample in zip(window.shards.tolist(), window.rows.tolist(), strict=True)
        ]
        assert len(set(read)) == len(read) == order.length
        steps = [b[1] - a[1] for a, b in pairwise(read) if a[0] == b[0]]
        assert steps.count(1) >= len(steps) - 1


def test_neighbours_in_a_tar_rarely_meet_in_a_batch() -> None:
    """At most one pair in a hundred; without strata it would be one in twenty."""
    steps, size = 33, 1024
    mixture = mix([[1000] * 100], [1], size, steps, seed=2)
    found = [set(rows) for rows in batches(mixture, size, steps)]
    for distance, most in ((1, 0.01), (8, 0.06)):
        met = sum((s, t, row + distance) in rows for rows in found for s, t, row in rows)
        assert met / (steps * size) < most


def test_reading_is_even_over_steps() -> None:
    order = mix([[1000] * 100], [1], 1024, 60, seed=2)
    seen: set[tuple[int, WindowKey]] = set()
    new = []
    for step in range(60):
        keys = {(row.source, row.key) for row in order.rows(step, 0, 1024)}
        new.append(len(keys - seen))
        seen |= keys
    assert new[0] == 256
    assert set(new[1:]) == {256 * ROWS // WINDOW}


@pytest.mark.parametrize("world", [11, 128])
def test_processes_share_a_batch_by_lanes(world: int) -> None:
    size = 90_112
    mixture = mix([[1000] * 500], [1], size, 2, seed=0)
    assert mixture.orders[0].lanes == size // 4
    rows = [mixture.rows(1, size * r // world, size * (r + 1) // world) for r in range(world)]
    lanes = [{row.key.lane for row in mine} for mine in rows]
    assert sum(map(len, lanes)) == len(set.union(*lanes)) == size // 4
    assert [row for mine in rows for row in mine] == mixture.rows(1, 0, size)


def test_processes_that_do_not_divide_the_lanes_share_few_of_them() -> None:
    mixture = mix([[500] * 20, [300] * 9], [2, 1], 96, 300, seed=0)
    for step in range(0, 300, 7):
        thirds = [mixture.rows(step, 32 * r, 32 * (r + 1)) for r in range(3)]
        lanes = [{(row.source, row.key.lane) for row in mine} for mine in thirds]
        assert sum(map(len, lanes)) - len(set.union(*lanes)) <= 4


@given(
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    size=st.integers(1, 200),
    steps=st.integers(1, 120),
)
def test_weights_are_kept_in_each_batch_and_over_the_run(
    weights: list[int], size: int, steps: int
) -> None:
    table = shares(size, weights, steps)
    exact = size * np.array(weights) / sum(weights)
    assert (table.sum(1) == size).all()
    assert (np.abs(table - exact) < 1).all()
    owed = np.abs(table.sum(0) - steps * exact)
    assert owed.max() < 1 if len(weights) == 2 else owed.max() < len(weights)


def test_weights_are_what_is_written() -> None:
    assert whole_weights([0.1, 2, 1.5]) == [1, 20, 15]
    period = shares(128, [2, 1], 3)
    assert period.sum(0).tolist() == [256, 128]


def test_a_source_that_is_too_light_for_a_row_a_batch_has_its_turn() -> None:
    mixture = mix([[90], [7]], [99, 1], 10, 100, seed=0)
    found = batches(mixture, 10, 100)
    light = [(tar, at) for rows in found for source, tar, at in rows if source == 1]
    assert len(light) == 10
    assert len(set(light[:7])) == 7
