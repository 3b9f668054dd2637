"""Rules of signing keys: whoever registers one proves to hold it; a revoked one signs no more.

What a key signed before it was revoked stays, by the server's clock: the evidence was written
when the signature came in.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.submission import text
from datacomp.submission.attestation import is_signed, key_statement
from datacomp_server.audit import service as audit
from datacomp_server.identity.callers import MachineCaller, TeamCaller
from datacomp_server.kit.errors import Conflict, NotFound, Refused
from datacomp_server.verification import repository
from datacomp_server.verification.models import SigningKey

MAX_NAME_LENGTH = 60


def register_of_team(
    session: Session,
    caller: TeamCaller,
    *,
    name: str,
    public_key: str,
    proof: str,
    moment: datetime,
) -> SigningKey:
    """A key of the caller's team. `proof` is its signature of `key_statement`.

    `Refused` (key_refused) if the proof or the name is not good, `Conflict` (key_taken) if the
    key is known already.
    """
    name = text.clean(name)
    problems = list(text.problems(name, limit=MAX_NAME_LENGTH))
    if problems:
        raise Refused(f"the key's name {problems[0]}", code="key_refused")
    _prove(public_key, proof, key_statement(public_key, "team", caller.name))
    made = SigningKey(team_id=caller.team_id, name=name, public_key=public_key, created_at=moment)
    return _register(session, made, caller.actor, moment)


def register_of_worker(
    session: Session,
    caller: MachineCaller,
    *,
    worker: str,
    public_key: str,
    proof: str,
    moment: datetime,
) -> SigningKey:
    """A key of a worker that has asked for jobs with the caller's token; else `NotFound`."""
    odd = any(text.problems(worker, limit=MAX_NAME_LENGTH))
    found = None if odd else repository.worker_by_name(session, worker)
    if found is None or found.token_id != caller.token_id:
        raise NotFound(f"no worker {worker!r} has asked for jobs with this token")
    _prove(public_key, proof, key_statement(public_key, "worker", worker))
    made = SigningKey(worker_id=found.id, name=worker, public_key=public_key, created_at=moment)
    return _register(session, made, caller.actor, moment)


def revoke(session: Session, key: SigningKey, *, by: str, moment: datetime) -> None:
    """From now on nothing new counts as signed by the key; twice is no error."""
    if key.revoked_at is not None:
        return
    key.revoked_at = moment
    session.flush()
    facts = {"public_key": key.public_key}
    audit.record(
        session, tag="key:revoked", subject_id=key.id, actor=by, facts=facts, moment=moment
    )


def _prove(public_key: str, proof: str, statement: dict[str, str]) -> None:
    if not is_signed(statement, proof, public_key):
        raise Refused(
            "the proof is not this key's signature of its registration: sign the statement that "
            "datacomp.submission.attestation.key_statement gives for the name of your token's team",
            code="key_refused",
        )


def _register(session: Session, made: SigningKey, actor: str, moment: datetime) -> SigningKey:
    existing = repository.key_by_public(session, made.public_key)
    if existing is not None:
        holder = (existing.team_id, existing.worker_id)
        if holder == (made.team_id, made.worker_id) and existing.revoked_at is None:
            return existing
        raise Conflict(
            "this key is registered already, by another holder or revoked; make a new one",
            code="key_taken",
        )
    session.add(made)
    session.flush()
    audit.record(
        session,
        tag="key:registered",
        subject_id=made.id,
        actor=actor,
        facts={"public_key": made.public_key, "name": made.name},
        moment=moment,
    )
    return made
