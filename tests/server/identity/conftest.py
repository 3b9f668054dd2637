"""Passwords that cost the tests nothing; test_passwords holds the real ones to their parameters."""

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from datacomp_server.identity import passwords


@pytest.fixture
def quick_passwords(monkeypatch):
    """Hash with a pass over 64 KiB instead of two over 19 MiB."""
    quick = Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", quick)
    monkeypatch.setattr(passwords, "_NOBODY", quick.hash("nobody"))
