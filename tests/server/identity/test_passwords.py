"""Passwords: which are refused, that only argon2id is stored, that nothing tells who exists."""

import threading

import pytest

from datacomp_server.identity import accounts, passwords
from datacomp_server.kit.errors import Refused, TooManyRequests, Unauthorised

GOOD = "correct horse battery"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "12 to 200"),
        ("x" * 201, "12 to 200"),
        ("aaaaaaaaaaaaabb", "different"),
        ("AdaLovelace1", "the account's name"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(password, reason):
    with pytest.raises(Refused, match=reason):
        accounts.new_password("AdaLovelace", password)


@pytest.mark.parametrize("password", [GOOD, "пароль из четырёх слов", "p\u0000q r s t u v w"])
def test_any_other_text_will_do(password):
    stored = accounts.new_password("Ada", password)

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify(password, stored)
    assert not passwords.verify(password + "x", stored)


def test_one_password_in_two_unicode_forms_is_one_password():
    assert passwords.verify(
        "cafe\u0301 au lait s'il", accounts.new_password("", "café au lait s'il")
    )


def test_the_password_of_nobody_is_a_hash_that_costs_the_same():
    real = passwords.hash_password(GOOD)

    assert passwords._NOBODY.rsplit("$", 2)[0] == real.rsplit("$", 2)[0]
    assert len(passwords._NOBODY) == len(real)


@pytest.fixture
def people(service):
    """Ada with a password, Bob who was ended, Cy who has none."""
    context = service.context
    stored = accounts.new_password("Ada", GOOD)
    with context.database.writing() as session:
        moment = context.clock()
        accounts.create(session, "Ada", password_hash=stored, moment=moment)
        bob = accounts.create(session, "Bob", password_hash=stored, moment=moment)
        accounts.set_enabled(session, bob, False, moment=moment)
        accounts.create(session, "Cy", oidc_subject="https://id.test cy", moment=moment)
    return context.database


def test_the_right_password_signs_in_whatever_the_case_of_the_name(people):
    assert accounts.sign_in(people, " aDa ", GOOD).name == "Ada"


def test_every_refusal_is_the_same_words_after_the_same_work(people, monkeypatch):
    work = []
    monkeypatch.setattr(
        passwords._HASHER,
        "_hasher",
        Counting(passwords._HASHER._hasher, work),
    )
    words = set()
    for name, password in [
        ("Ada", "wrong horse battery"),
        ("Bob", GOOD),
        ("Cy", GOOD),
        ("nobody", GOOD),
        ("nul\x00", GOOD),
        ("", ""),
        ("x" * 10_000, "y" * 10_000),
    ]:
        with pytest.raises(Unauthorised) as caught:
            accounts.sign_in(people, name, password)
        words.add((caught.value.error, str(caught.value)))

    assert words == {("sign_in_refused", "the name or the password is wrong")}
    assert work == [1] * 7


class Counting:
    """A hasher that counts its verifications."""

    def __init__(self, hasher, work):
        self.hasher, self.work = hasher, work

    def verify(self, *arguments):
        self.work.append(1)
        return self.hasher.verify(*arguments)


def test_a_crowd_does_not_hold_up_the_server(monkeypatch):
    monkeypatch.setattr(passwords, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(passwords, "_AT_ONCE", threading.BoundedSemaphore(1))
    with passwords._turn(), pytest.raises(TooManyRequests):
        passwords.verify("x", None)

    assert not passwords.verify("x", None)
