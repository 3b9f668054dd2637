"""The schema's history: one dated file a step, run when a database is opened."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision inside the connection's transaction."""
    if revision_of(connection) == newest_revision():
        return  # spares the reading of every step at each start
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def revision_of(connection: Connection) -> str:
    """The revision that a database is at."""
    return MigrationContext.configure(connection).get_current_revision() or ""


@cache
def newest_revision() -> str:
    """The revision that this version of the service works with."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
