"""Rules of accounts: who may have one, how one signs in, how it ends."""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.submission.text import problems
from datacomp_server.audit import service as audit
from datacomp_server.identity import passwords, repository
from datacomp_server.identity.models import Account
from datacomp_server.identity.names import checked_name, key_of
from datacomp_server.kit.db import Database
from datacomp_server.kit.errors import Conflict, NotFound, Refused, Unauthorised

OPERATOR = "organiser:operator"  # whoever works on the service's machine, by datacomp admin


def new_password(name: str, password: str) -> str:
    """The hash of a password for that account; `Refused` if it is too weak.

    Slow on purpose: call it outside of every transaction.
    """
    reasons = list(passwords.problems(password, name=name))
    if reasons:
        raise Refused(f"the password {reasons[0]}", code="weak_password")
    return passwords.hash_password(password)


def create(
    session: Session,
    name: str,
    *,
    moment: datetime,
    password_hash: str | None = None,
    oidc_subject: str | None = None,
) -> Account:
    """A new account; `Conflict` if the name is taken, `Refused` if it could mislead."""
    name = checked_name("account", name)
    if repository.account_by_key(session, key_of(name)) is not None:
        raise Conflict(f"the name {name!r} is taken, choose another", code="name_taken")
    account = Account(
        name=name,
        key=key_of(name),
        password_hash=password_hash,
        oidc_subject=oidc_subject,
        created_at=moment,
    )
    session.add(account)
    session.flush()
    return account


def sign_in(database: Database, name: str, password: str) -> Account:
    """The account of that name and password.

    `Unauthorised` otherwise: in the same words and after the same work for an unknown name, a
    wrong password, an account without one, and one that was ended.
    """
    account = None
    if not any(problems(name, limit=passwords.MAX_LENGTH)):
        with database.reading() as session:
            account = repository.account_by_key(session, key_of(name))
    stored = account.password_hash if account and account.disabled_at is None else None
    if not passwords.verify(password, stored) or account is None:
        raise Unauthorised("the name or the password is wrong", code="sign_in_refused")
    return account


def change_password(session: Session, account_id: str, password_hash: str) -> None:
    """Another password; every browser that is signed in is signed out."""
    account = session.get_one(Account, account_id)
    account.password_hash = password_hash
    repository.delete_sessions(session, account_id)


def of_name(session: Session, name: str) -> Account:
    """The account of that name; `NotFound` if there is none."""
    account = repository.account_by_key(session, key_of(checked_name("account", name)))
    if account is None:
        raise NotFound(f"there is no account {name!r}; see: datacomp admin account list")
    return account


def set_organiser(session: Session, account: Account, value: bool, *, moment: datetime) -> None:
    """Give or take the office; only ever from the service's own machine."""
    account.organiser = value
    tag = "account:made-organiser" if value else "account:no-organiser"
    _record(session, tag, account, {"name": account.name}, moment)


def set_enabled(session: Session, account: Account, value: bool, *, moment: datetime) -> None:
    """End an account or let it in again. Ended, its sessions and tokens are not good."""
    account.disabled_at = None if value else account.disabled_at or moment
    if not value:
        repository.delete_sessions(session, account.id)
    _record(session, "account:let-in" if value else "account:ended", account, {}, moment)


def _record(
    session: Session, tag: str, account: Account, facts: dict[str, str], moment: datetime
) -> None:
    audit.record(
        session, tag=tag, subject_id=account.id, actor=OPERATOR, facts=facts, moment=moment
    )
