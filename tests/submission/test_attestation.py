"""Signatures: what they stand for, and that they stand for nothing else."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from datacomp.errors import UsageError
from datacomp.submission.attestation import (
    Attestation,
    PrivateKey,
    is_signed,
    key_statement,
    result_statement,
    submission_statement,
)

KEY_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
SECRET = "01" * 32


def make_statement(**values):
    fields = {
        "key_id": KEY_ID,
        "submission_id": "01ARZ3NDEKTSV4RRFFQ69G5FAW",
        "report_sha256": "a" * 64,
        "files": {"checkpoint": "c" * 64, "subset": "b" * 64},
    }
    return submission_statement(**fields | values)


@pytest.fixture
def key():
    return PrivateKey(SECRET)


def test_a_signature_is_good_for_its_statement(key):
    statement = make_statement()

    assert is_signed(statement, key.sign(statement), key.public)


def test_signing_is_deterministic_and_ignores_the_order_of_keys(key):
    statement = make_statement()

    assert key.sign(statement) == key.sign(dict(reversed(statement.items())))


@pytest.mark.parametrize(
    "changed",
    [
        {"key_id": "0" * 26},
        {"submission_id": "0" * 26},
        {"report_sha256": "0" * 64},
        {"report_sha256": None},
        {"files": {"subset": "b" * 64}},
        {"files": {"checkpoint": "b" * 64, "subset": "c" * 64}},
    ],
)
def test_it_is_good_for_no_other_statement(key, changed):
    assert not is_signed(make_statement(**changed), key.sign(make_statement()), key.public)


def test_it_is_good_for_no_other_key(key):
    statement = make_statement()

    assert not is_signed(statement, key.sign(statement), PrivateKey("02" * 32).public)


@pytest.mark.parametrize("signature", ["", "zz", "00" * 64, "ä" * 128, "00" * 63])
def test_what_is_no_signature_is_not_good(key, signature):
    assert not is_signed(make_statement(), signature, key.public)


@pytest.mark.parametrize("public_key", ["", "00" * 32, "FF" * 32, "0" * 63, "x" * 64])
def test_what_is_no_key_signs_nothing(key, public_key):
    statement = make_statement()

    assert not is_signed(statement, key.sign(statement), public_key)


def test_statements_of_different_things_differ(key):
    made = [
        make_statement(),
        result_statement(key_id=KEY_ID, lease_id="L", files={}),
        key_statement(key.public, "team", "Alpha"),
        key_statement(key.public, "worker", "Alpha"),
    ]

    assert len({key.sign(statement) for statement in made}) == 4


def test_a_private_key_is_not_shown(key):
    assert SECRET not in repr(key)
    assert PrivateKey.generate() != PrivateKey.generate()
    with pytest.raises(UsageError, match="64 hex digits"):
        _ = replace(key, secret="xyz").public


def test_attestations_have_one_form(key):
    signature = key.sign(make_statement())

    assert Attestation(key_id=KEY_ID, signature=signature).signature == signature
    for wrong in (signature.upper(), signature + "\n", signature[:-1]):
        with pytest.raises(ValidationError):
            Attestation(key_id=KEY_ID, signature=wrong)
