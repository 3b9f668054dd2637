"""Everything public as plain files: tables as JSON lines and as CSV, reports, the event chain.

A folder a day, whole or not at all. It follows from the database's state alone: the same state
gives the same bytes, whenever and from whichever database it is exported.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from datacomp.events import GENESIS, Head
from datacomp.files import canonical_json
from datacomp_leaderboard.twins import inert
from datacomp_server.artifacts.store import ArtifactStore
from datacomp_server.audit import repository
from datacomp_server.audit.folders import EXPORT_SCHEMA, FolderWriter, new_folder
from datacomp_server.audit.public import TABLES, Rows, reports
from datacomp_server.audit.rows import as_line
from datacomp_server.audit.service import link_of
from datacomp_server.context import Context

EVENTS = "events.jsonl"


@dataclass(frozen=True)
class ExportInfo:
    """What an export holds; `head` is that of the event chain."""

    folder: Path
    n_files: int
    n_rows: int
    head: str


def export(context: Context, target: Path) -> ExportInfo:
    """Write an export to a new folder; `UsageError` if it is there already.

    Reports that an older export beside it holds are shared with it, not copied again.
    """
    older = _newest_beside(target)
    with new_folder(target, schema=EXPORT_SCHEMA, private=False) as (writer, facts):
        with context.database.reading() as session:
            counts = {name: _table(session, writer, name, rows) for name, rows in TABLES.items()}
            head = _events(session, writer)
            hashes = reports(session)
        for sha256 in hashes:
            _report(context.artifacts, writer, sha256, older)
        facts |= {"head": str(head), "rows": counts}
    return ExportInfo(target, len(writer.files), sum(counts.values()), str(head))


def day_folder(exports: Path, moment: datetime) -> Path:
    """The folder of the day (UTC) of a moment."""
    return exports / moment.strftime("%Y-%m-%d")


def _table(session: Session, writer: FolderWriter, name: str, rows: Rows) -> int:
    n = 0

    def lines() -> Iterator[bytes]:
        nonlocal n
        for row in rows(session):
            n += 1
            yield as_line(row)

    writer.write(f"{name}.jsonl", lines())
    writer.write(f"{name}.csv", _csv(rows(session)))
    return n


def _csv(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """RFC 4180; nothing in a cell is a formula, what is no plain value is JSON."""
    header: list[str] = []
    for row in rows:
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        if not header:
            header = list(row)
            writer.writerow(header)
        writer.writerow([_cell(value) for value in row.values()])
        yield out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return inert(value)
    return canonical_json(value).decode() if isinstance(value, dict | list) else value


def _events(session: Session, writer: FolderWriter) -> Head:
    head = Head(0, GENESIS)

    def lines() -> Iterator[bytes]:
        nonlocal head
        for event in repository.in_order(session):
            head = Head(event.seq, event.sha256)
            yield as_line(link_of(event).as_json())

    writer.write(EVENTS, lines())
    return head


def _report(store: ArtifactStore, writer: FolderWriter, sha256: str, older: Path | None) -> None:
    name = f"reports/{sha256[:2]}/{sha256}.json"
    if older is not None and writer.link(name, older / name, sha256):
        return
    with store.open(sha256) as source:
        writer.copy(name, source)


def _newest_beside(target: Path) -> Path | None:
    """The last of the exports of other days in the same folder, if there is one."""
    if not target.parent.is_dir():
        return None
    others = [p for p in target.parent.iterdir() if p.is_dir() and p.name[:1].isdigit()]
    return max((p for p in others if p != target), default=None)
