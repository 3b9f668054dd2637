"""Rules of uploads: who may store how much, and what counts as handed in.

That a content is here says nothing to anybody: who declares it has to upload it, unless it is
public, so that nobody learns from the answer what another team has.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from datacomp_server.artifacts import repository
from datacomp_server.artifacts.models import Artifact, Upload
from datacomp_server.identity.callers import Caller, TeamCaller
from datacomp_server.kit.errors import Conflict, NotFound, Refused, TooLarge
from datacomp_server.settings import Settings

MAX_OPEN_UPLOADS = 100


@dataclass(frozen=True)
class Owner:
    """Who uploads: a team, or a worker under the lease of a job. Exactly one is given."""

    team_id: str | None = None
    lease_id: str | None = None

    def __post_init__(self) -> None:
        assert (self.team_id is None) != (self.lease_id is None), "one owner of an upload"

    def owns(self, upload: Upload) -> bool:
        """Whether an upload is this owner's."""
        return (upload.team_id, upload.lease_id) == (self.team_id, self.lease_id)


def reserve(
    session: Session, settings: Settings, owner: Owner, *, sha256: str, size: int, moment: datetime
) -> Upload | None:
    """Room for a content of `size` bytes; None if it need not be uploaded.

    The same declaration again gives the upload that is open, at what it has received. `TooLarge`
    over the limit of one artifact; `Refused` (quota_exceeded, too_many_uploads) beyond what the
    owner may hold; `Conflict` (upload_size) or `Refused` (bad_size) if it is open, or here, with
    another size.
    """
    repository.lock_owner(session, team_id=owner.team_id, lease_id=owner.lease_id)
    expires_at = moment + timedelta(seconds=settings.upload_seconds)
    known = repository.uploads_of(session, sha256, team_id=owner.team_id, lease_id=owner.lease_id)
    if is_whole(session, owner, sha256, moment=moment):
        _demand_size(session, sha256, size)
        for mine in known:
            mine.expires_at = expires_at  # until then the collector leaves it alone
        return None
    if size > settings.max_artifact_bytes:
        raise TooLarge(
            f"a file of {size:,} bytes is over this service's limit of "
            f"{settings.max_artifact_bytes:,} bytes a file",
            code="artifact_too_large",
        )
    upload = next((u for u in known if u.completed_at is None), None)
    if upload is not None and upload.size != size:
        raise Conflict(
            f"an upload of {sha256} is open with {upload.size:,} bytes, now {size:,} are declared; "
            f"drop it first: DELETE /api/v1/uploads/{upload.id}",
            code="upload_size",
        )
    if upload is None or upload.expires_at <= moment:
        _demand_room(session, settings, owner, size, moment)
    upload = upload or Upload(
        team_id=owner.team_id,
        lease_id=owner.lease_id,
        sha256=sha256,
        size=size,
        received=0,
        created_at=moment,
    )
    upload.expires_at = expires_at
    session.add(upload)
    session.flush()
    return upload


def is_whole(session: Session, owner: Owner, sha256: str, *, moment: datetime) -> bool:
    """Whether a content is here and this owner may say so: handed in by it, or public."""
    if repository.artifact(session, sha256) is None:
        return False
    known = repository.uploads_of(session, sha256, team_id=owner.team_id, lease_id=owner.lease_id)
    if any(upload.completed_at is not None for upload in known):
        return True
    return owner.team_id is not None and repository.is_public(session, sha256, moment)


def owner_of(session: Session, caller: Caller, lease_id: str | None, *, moment: datetime) -> Owner:
    """Whom a caller uploads for: its team, or the job that it has leased.

    `NotFound` for a lease of another worker, `Conflict` for one that has ended (lease_lost), for a
    team that names a lease and a worker that names none (bad_owner).
    """
    if isinstance(caller, TeamCaller):
        if lease_id is not None:
            raise Conflict("a team uploads for itself, without lease_id", code="bad_owner")
        return Owner(team_id=caller.team_id)
    if lease_id is None:
        raise Conflict("a worker uploads for a job: give its lease_id", code="bad_owner")
    if not repository.worker_has_lease(session, caller.token_id, lease_id):
        raise NotFound("there is no such lease")
    if not repository.is_live(session, lease_id, moment):
        raise Conflict("this lease has ended, nothing stored", code="lease_lost")
    return Owner(lease_id=lease_id)


def owner_of_upload(session: Session, caller: Caller, upload_id: str, *, moment: datetime) -> Owner:
    """As whom a caller writes to an upload; `NotFound` if it is none of its own."""
    found = repository.upload_by_id(session, upload_id)
    if found is None or (found.lease_id is None) != isinstance(caller, TeamCaller):
        raise NotFound("there is no such upload")
    owner = owner_of(session, caller, found.lease_id, moment=moment)
    get(session, owner, upload_id, moment=moment)
    return owner


def get(session: Session, owner: Owner, upload_id: str, *, moment: datetime) -> Upload:
    """An owner's upload, open or completed; `NotFound` if it is not there, or has expired."""
    found = repository.upload_by_id(session, upload_id)
    if found is None or not owner.owns(found):
        raise NotFound("there is no such upload")
    if found.completed_at is None and found.expires_at <= moment:
        raise NotFound("there is no such upload")
    return found


def complete(session: Session, upload: Upload, *, moment: datetime) -> None:
    """Write down that the content is in the store; it is kept meanwhile if nothing names it."""
    if repository.artifact(session, upload.sha256) is None:
        session.add(Artifact(sha256=upload.sha256, size=upload.size, created_at=moment))
    upload.completed_at = moment
    session.flush()


def demand_readable(session: Session, caller: Caller, sha256: str, *, moment: datetime) -> None:
    """`NotFound` unless a caller may read a content: an organiser, or a team whose own it is, that
    it was made for, or that may read it because it is public.
    """
    if isinstance(caller, TeamCaller):
        readable = is_whole(
            session, Owner(team_id=caller.team_id), sha256, moment=moment
        ) or repository.is_output_for(session, sha256, caller.team_id)
    else:
        readable = repository.artifact(session, sha256) is not None
    if not readable:
        raise NotFound("there is no such artifact")


def drop(session: Session, owner: Owner, upload_id: str, *, moment: datetime) -> None:
    """Give an open upload's room back; `Conflict` (upload_complete) once it is whole."""
    upload = get(session, owner, upload_id, moment=moment)
    if upload.completed_at is not None:
        raise Conflict("this upload is complete; its file stays", code="upload_complete")
    repository.remove_upload(session, upload_id)


def _demand_size(session: Session, sha256: str, size: int) -> None:
    whole = repository.artifact(session, sha256)
    if whole is not None and whole.size != size:
        raise Refused(
            f"the file {sha256} has {whole.size:,} bytes, declared are {size:,}", code="bad_size"
        )


def _demand_room(
    session: Session, settings: Settings, owner: Owner, size: int, moment: datetime
) -> None:
    used, n_open = repository.reserved(
        session, team_id=owner.team_id, lease_id=owner.lease_id, moment=moment
    )
    quota = settings.team_quota_bytes if owner.team_id else settings.job_quota_bytes
    if used + size > quota:
        whose = "team" if owner.team_id else "job"
        raise Refused(
            f"{size:,} bytes more than the {used:,} that this {whose} holds or has reserved are "
            f"over its quota of {quota:,} bytes; drop uploads that are open, or ask an organiser",
            code="quota_exceeded",
        )
    if n_open >= MAX_OPEN_UPLOADS:
        raise Refused(
            f"{n_open} uploads are open; finish or drop one first", code="too_many_uploads"
        )
