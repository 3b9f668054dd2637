"""Teams, tokens, artifacts."""

import sqlalchemy as sa
from alembic import op

from datacomp_server.kit.db import UtcDateTime

revision = "20261122"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "team",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("key", sa.String(120), nullable=False, unique=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("team_id", sa.String(26), sa.ForeignKey("team.id"), nullable=False, index=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("hint", sa.String(12), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("last_used_at", UtcDateTime()),
        sa.Column("revoked_at", UtcDateTime()),
    )
    op.create_table(
        "artifact",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
