"""What divides a batch, and what a refusal says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import UsageError
from datacomp.training import Systems, load_scale
from datacomp.training.shares import demand_shares

VIT = load_scale("xlarge")
PARTS = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("scale", "world", "micro", "message"),
    [
        ("small", 6, None, "batch of 4,096 cannot be shared by 6 processes; .*divide it: 4, 8$"),
        ("xlarge", 5000, None, "a batch of 90,112 .* 5,000 processes; .*: 4,096, 5,632$"),
        ("small", 1, 3, "a batch of 4,096 cannot be cut into micro-batches of 3; .*: 2, 4$"),
        ("small", 8, 1000, "512 rows a process cannot be cut .* of 1,000; .*divide: 512$"),
        ("tiny", 2, 32, "'tiny' normalises over the batch.*leave --micro-batch out"),
    ],
)
def test_a_refusal_says_what_would_do(
    scale: str, world: int, micro: int | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        demand_shares(load_scale(scale), Systems(micro_batch=micro), world)


def test_the_whole_share_is_no_cut() -> None:
    demand_shares(load_scale("tiny"), Systems(micro_batch=64), world=2)


@given(size=PARTS, world=PARTS, micro=st.none() | PARTS)
def test_what_divides_is_taken_and_nothing_else(size: int, world: int, micro: int | None) -> None:
    recipe = replace(VIT, global_batch_size=size)
    divides = size % world == 0 and (micro is None or size // world % micro == 0)
    try:
        demand_shares(recipe, Systems(micro_batch=micro), world)
    except UsageError:
        assert not divides
    else:
        assert divides
