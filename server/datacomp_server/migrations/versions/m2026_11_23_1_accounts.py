"""Accounts, teams' members and invites, sessions; tokens without a team."""

import sqlalchemy as sa
from alembic import op

from datacomp_server.kit.db import UtcDateTime

revision = "20261123a"
down_revision = "20261122"


def upgrade() -> None:
    """Create the tables."""
    _account()
    _membership()
    _team_invite()
    _web_session()
    with op.batch_alter_table("api_token") as batch:
        batch.alter_column("team_id", existing_type=sa.String(26), nullable=True)
        batch.add_column(sa.Column("account_id", sa.String(26)))
        batch.create_foreign_key(
            "fk_api_token_account_id_account", "account", ["account_id"], ["id"]
        )
        batch.create_index("ix_api_token_account_id", ["account_id"])


def _account() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("password_hash", sa.String(200)),
        sa.Column("oidc_subject", sa.String(300)),
        sa.Column("organiser", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime()),
        sa.CheckConstraint(
            "password_hash IS NOT NULL OR oidc_subject IS NOT NULL", name="can_sign_in"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sa.UniqueConstraint("oidc_subject"),
    )


def _membership() -> None:
    op.create_table(
        "membership",
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("account_id", sa.String(26), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'member')", name="role"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.PrimaryKeyConstraint("team_id", "account_id"),
    )
    op.create_index("ix_membership_account_id", "membership", ["account_id"])


def _team_invite() -> None:
    op.create_table(
        "team_invite",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime()),
        sa.CheckConstraint("role IN ('owner', 'member')", name="role"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("ix_team_invite_team_id", "team_invite", ["team_id"])


def _web_session() -> None:
    op.create_table(
        "web_session",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(26), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_web_session_account_id", "web_session", ["account_id"])
