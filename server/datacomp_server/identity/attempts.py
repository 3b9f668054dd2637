"""Tries to get in, limited by address and by account before any password is computed."""

from starlette.requests import Request

from datacomp_server.context import Context
from datacomp_server.identity import accounts
from datacomp_server.identity.models import Account
from datacomp_server.identity.names import key_of
from datacomp_server.kit.limits import Rate
from datacomp_server.kit.middleware import address_of

# Of one account from anywhere: 20 wrong passwords at once, then 2 a minute. Who is signed in, or
# has a token, is not touched by others' guesses.
_ACCOUNT_RATE = Rate(20, 600)
# New accounts of one address: a class behind one router can come in, a script cannot go on.
_NEW_ACCOUNTS_RATE = Rate(40, 3600)


def count(context: Context, request: Request) -> None:
    """Count one try of an address to sign in, register or join; `TooManyRequests` beyond."""
    rate = Rate(context.settings.sign_ins_per_minute, 60)
    context.limiter.take("tries of this address to sign in", address_of(request), rate)


def count_new_account(context: Context, request: Request) -> None:
    """Count one new account of an address; `TooManyRequests` beyond."""
    kind = "new accounts of this address"
    context.limiter.take(kind, address_of(request), _NEW_ACCOUNTS_RATE)


def sign_in(context: Context, request: Request, name: str, password: str) -> Account:
    """The account of a name and password; `Unauthorised` or `TooManyRequests` otherwise.

    Only a wrong password counts against the account.
    """
    count(context, request)
    kind, key = "tries to sign in to this account", key_of(name)
    context.limiter.take(kind, key, _ACCOUNT_RATE)
    account = accounts.sign_in(context.database, name, password)
    context.limiter.give_back(kind, key, _ACCOUNT_RATE)
    return account
