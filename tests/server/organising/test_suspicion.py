"""Which submission an organiser should look at first."""

from hypothesis import given
from hypothesis import strategies as st

from datacomp_server.organising import suspicion
from datacomp_server.organising.suspicion import WEIGHTS, Signal, in_order, score

signals = st.lists(st.sampled_from(sorted(WEIGHTS)).map(lambda code: Signal(code, "x")), max_size=5)


def test_a_code_counts_once():
    twice = [Signal("twins", "a"), Signal("twins", "b")]
    assert score(twice) == score(twice[:1]) == WEIGHTS["twins"]
    assert score([]) == 0


@given(st.dictionaries(st.text("ABC", min_size=1, max_size=3), signals, max_size=8))
def test_the_heaviest_comes_first_and_none_is_lost(found):
    ordered = in_order(found)

    scores = [score(listed) for _, listed in ordered]
    assert scores == sorted(scores, reverse=True)
    assert {one for one, _ in ordered} == set(found)
    assert in_order(dict(reversed(found.items()))) == ordered


def test_every_weight_is_documented():
    for code, weight in WEIGHTS.items():
        assert f"| {code} | {weight} |" in suspicion.__doc__
