"""The database: one engine, two kinds of sessions, migrated when it is opened.

SQLite by default, in WAL mode; Postgres by URL. On both any number of readers stand beside one
writer, so that a rule that holds on one holds on the other:

* A writing session takes the write lock before it reads (`BEGIN IMMEDIATE`; on Postgres an
  advisory lock for the transaction, under READ COMMITTED, so that each statement sees all that
  was committed before). What it read is still true when it writes; nothing has to be retried.
  The price: one short write transaction at a time, hundreds a second, also over many processes.
* A reading session sees one moment (a WAL snapshot; REPEATABLE READ), never waits, cannot write.

Both begin with their first statement. A writing session must be short, and must not open
another one inside it.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
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
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Mapper, Session, sessionmaker

from datacomp.errors import UsageError, require

BUSY_TIMEOUT_SECONDS = 10
# A process that hangs inside a transaction must not hold up everybody.
IDLE_TIMEOUT_SECONDS = 60
# The server answers up to 40 requests at a time in threads, each of which may hold a reading and
# a writing session; Postgres takes 100 connections unless told otherwise.
_POOL = {"pool_size": 10, "max_overflow": 74, "pool_timeout": BUSY_TIMEOUT_SECONDS}
_WRITE_LOCK = 7_021_623_544_213_811_527  # any number, as long as nobody else's lock has it

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


def add_rows(session: Session, *rows: Base) -> None:
    """Insert rows that refer to earlier ones or to each other in this order; they stay strangers
    to the session, which has written all that it holds before, and do not learn their defaults.

    For what many ask at once: finding the order itself costs the session three times as much.
    """
    connection = session.connection()
    for row in rows:
        table = Base.metadata.tables[row.__tablename__]
        values = {name: value for name, value in vars(row).items() if name in table.c}
        connection.execute(table.insert(), values)


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
        self.url = url
        self.engine = _engine(_parsed(url))
        self._reading = sessionmaker(_reading(self.engine), autoflush=False)
        # SQLite lets those who wait sleep, and may let one wait for ever; these take turns
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else None
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
        with self._taking_turns(), self._writing.begin() as session:
            yield session

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_SECONDS):
            raise TimeoutError(f"no turn to write within {BUSY_TIMEOUT_SECONDS} s")
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError(
            "the database's URL cannot be read; expected sqlite:///PATH or "
            "postgresql://USER:PASSWORD@HOST/NAME"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return parsed
    if backend not in ("postgresql", "postgres"):
        raise UsageError(f"no service runs on {backend!r}; expected sqlite or postgresql")
    require("psycopg", extra="postgres")
    return parsed.set(drivername="postgresql+psycopg")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url)
    options = {
        "lock_timeout": BUSY_TIMEOUT_SECONDS,
        "idle_in_transaction_session_timeout": IDLE_TIMEOUT_SECONDS,
    }
    asked = " ".join(f"-c {name}={value * 1000:.0f}" for name, value in options.items())
    engine = create_engine(
        url,
        hide_parameters=True,  # hashes of passwords and tokens are in no log
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        connect_args={"options": asked, "client_encoding": "utf8"},
        **_POOL,
    )
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _reading(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _sqlite_engine(url: URL) -> Engine:
    pool: dict[str, Any] = {}
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        pool = _POOL
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, hide_parameters=True, **pool
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("datacomp_write", False))


def _begin_sqlite(connection: Connection) -> None:
    writes = _writes(connection)
    connection.exec_driver_sql(f"PRAGMA query_only = {int(not writes)}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgres(connection: Connection) -> None:
    if _writes(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")
