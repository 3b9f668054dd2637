"""The database: one engine, two kinds of sessions, migrated when it is opened.

SQLite by default, in WAL mode: any number of readers beside one writer. A writing session takes
the write lock at its beginning (`BEGIN IMMEDIATE`), so that what it read is still true when it
writes. Other databases run the same code with their own locking.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.orm import DeclarativeBase, Mapper, Session, sessionmaker

BUSY_TIMEOUT_SECONDS = 10

_NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=_NAMES)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; stored in UTC, also where the database knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware moments only, converted to UTC."""
        if value is not None and value.tzinfo is None:
            raise TypeError(f"a moment needs a time zone: {value!r}")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What SQLite returns without a zone was stored in UTC."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


def one_of(column: str, values: Sequence[str]) -> str:
    """The SQL of a CHECK that a column holds one of `values` (plain words)."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class AppendOnlyError(RuntimeError):
    """Our own code tried to change or delete a row that stands for good."""


def append_only(*tables: type[Base]) -> None:
    """From now on the rows of `tables` are only ever added; else `AppendOnlyError`."""
    for table in tables:
        event.listen(table, "before_update", _refuse)
        event.listen(table, "before_delete", _refuse)


def _refuse(mapper: Mapper[Any], _connection: object, target: Any) -> None:
    key = "/".join(str(value) for value in mapper.primary_key_from_instance(target))
    raise AppendOnlyError(f"{mapper.class_.__tablename__} {key} is append-only")


class Database:
    """An open, migrated database."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._reading = sessionmaker(self.engine, autoflush=False)
        self._writing = sessionmaker(
            self.engine.execution_options(datacomp_write=True), expire_on_commit=False
        )

    def migrate(self) -> None:
        """Bring the schema to the newest revision; does nothing where it is there already."""
        from datacomp_server.migrations import upgrade

        with self.engine.execution_options(datacomp_write=True).begin() as connection:
            upgrade(connection)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment and writes nothing."""
        with self._reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits at its end, or leaves no trace of itself."""
        with self._writing.begin() as session:
            yield session

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("datacomp_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
