"""Run by Alembic: takes the open connection that `upgrade` hands over."""

from alembic import context

from datacomp_server.kit.db import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
