"""Browsers of an organiser and of others."""

from functools import partial

import pytest

from support import browsers


@pytest.fixture
def sign_in(service):
    """`sign_in(name, organiser, team)`: a browser of a new account."""
    return partial(browsers.sign_in, service)


@pytest.fixture
def olga(sign_in):
    """An organiser's browser."""
    return sign_in("Olga", organiser=True)


@pytest.fixture
def anybody(service):
    """A browser that nobody signed in."""
    return browsers.SignedInBrowser(service, None)
