"""The draw: bound by its commitment, and the same for everyone who repeats it."""

import hashlib

import pytest

from datacomp.errors import UsageError
from datacomp_server.verification.draw import commitment, draw, is_chosen, new_seed

SEED = "5e" * 32
IDS = [f"S{number:04}" for number in range(2000)]


def test_anyone_can_repeat_it():
    def by_hand(one):
        digest = hashlib.sha256(f"{SEED}|{one}".encode()).hexdigest()
        return int(digest[:16], 16) / 2**64 < 0.25

    assert draw(SEED, IDS, 0.25) == [one for one in IDS if by_hand(one)]


def test_the_share_is_about_what_was_asked_for():
    assert 170 <= len(draw(SEED, IDS, 0.1)) <= 230


def test_a_larger_share_chooses_the_same_and_more():
    assert set(draw(SEED, IDS, 0.1)) < set(draw(SEED, IDS, 0.2))
    assert draw(SEED, IDS, 1.0) == IDS


def test_who_else_takes_part_does_not_matter():
    assert draw(SEED, IDS[:100], 0.3) == [one for one in IDS[:100] if is_chosen(SEED, one, 0.3)]


def test_the_commitment_is_the_hash_of_the_seeds_digits():
    assert commitment(SEED) == hashlib.sha256(SEED.encode()).hexdigest()
    assert len(new_seed()) == 64
    assert new_seed() != new_seed()
    with pytest.raises(UsageError, match="hex digits"):
        commitment("5E" * 32)
