"""Removing what nobody will ask for again: uploads that rest, files that nothing names.

Safe beside a running service, and twice at once: every row is judged again when it is deleted. A
row goes before its file, so that a crash between them leaves a file that the next call removes.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from datacomp_server.artifacts import garbage
from datacomp_server.artifacts.garbage import Garbage
from datacomp_server.artifacts.object_store import COPY_PREFIX
from datacomp_server.context import Context
from datacomp_server.kit.errors import Conflict

# Whoever stores a content names it in a row soon after, or is dead.
UNNAMED_FOR = timedelta(days=1)
# A team may look at files that were refused for so long.
REFUSED_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Collection:
    """What was removed, or would be; `n_bytes` are those of the artifacts."""

    uploads: int = 0
    artifacts: int = 0
    n_bytes: int = 0
    stray_files: int = 0


def collect(context: Context, *, moment: datetime, execute: bool, strays: bool) -> Collection:
    """Remove expired uploads, artifacts that nothing has named for a day, and files of submissions
    refused a week ago. Without `execute` they are only counted.

    With `strays` also files that no row knows, which a crash may leave: for a person to ask, since
    they might be those of another database that was set to the same place.
    """
    before = moment - UNNAMED_FOR
    rules = Garbage(moment, refused_before=moment - REFUSED_FOR, unnamed_before=before)
    with context.database.reading() as session:
        uploads, artifacts = rules.uploads(session), rules.artifacts(session)
    if execute:
        uploads = [one for one in uploads if _drop(context, rules, *one)]
        artifacts = [one for one in artifacts if _remove(context, rules, one[0], before)]
    return Collection(
        uploads=len(uploads),
        artifacts=len(artifacts),
        n_bytes=sum(size for _, size in artifacts),
        stray_files=sum(kind(context, execute, before) for kind in _STRAYS) if strays else 0,
    )


def _drop(context: Context, rules: Garbage, upload_id: str, is_open: bool) -> bool:
    try:
        with context.parts.hold(upload_id) as part:
            with context.database.writing() as session:
                dropped = rules.forget_upload(session, upload_id)
            if dropped or not is_open:
                part.remove()
            return dropped
    except Conflict:
        return False  # somebody writes to it at this very moment


def _remove(context: Context, rules: Garbage, sha256: str, before: datetime) -> bool:
    with context.database.writing() as session:
        forgotten = rules.forget_artifact(session, sha256)
    return forgotten and context.artifacts.remove(sha256, put_before=before)


def _parts(context: Context, execute: bool, _before: datetime) -> int:
    found = 0
    for upload_id in context.parts.ids():
        with context.database.reading() as session:
            if garbage.has_upload(session, upload_id):
                continue
        found += 1
        if execute:
            with context.parts.hold(upload_id) as part:
                part.remove()
    return found


def _unknown_files(context: Context, execute: bool, before: datetime) -> int:
    found = 0
    for sha256 in context.artifacts.names():
        with context.database.reading() as session:
            known = garbage.is_known(session, sha256)
        if not known and execute:
            found += context.artifacts.remove(sha256, put_before=before)
        elif not known:
            found += 1
    return found


def _copies(context: Context, execute: bool, before: datetime) -> int:
    found = 0
    for folder in context.parts.folder.glob(f"{COPY_PREFIX}*"):
        if datetime.fromtimestamp(folder.stat().st_mtime, UTC) < before:
            found += 1
            if execute:
                shutil.rmtree(folder)
    return found


_STRAYS = (_parts, _unknown_files, _copies)
