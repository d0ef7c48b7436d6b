"""People, their sessions, and the throttle of logins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_people()
    _create_throttle()


def downgrade() -> None:
    for table in ("throttle_counts", "throttle_periods", "sessions", "people"):
        op.drop_table(table)


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.String(32), nullable=False, comment="random"),
        sa.Column("name", sa.String(32), nullable=False, comment="chosen by the person; need not be theirs"),
        sa.Column("password_hash", sa.String(255), nullable=False, comment="argon2id with its salt and cost"),
        sa.Column("role", sa.String(8), nullable=False),
        sa.CheckConstraint("role IN ('person', 'operator')", name=op.f("ck_people_role")),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("name", name="uq_people_name"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), nullable=False, comment="random; in access tokens as sid"),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, comment="SHA-256 of the one refresh token that is good"),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, comment="deleted soon after"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_sessions_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def _create_throttle() -> None:
    op.create_table(
        "throttle_periods",
        sa.Column(
            "number", sa.BigInteger, nullable=False, autoincrement=False, comment="quarters of an hour since 1970"
        ),
        sa.Column(
            "salt", sa.LargeBinary, nullable=False, comment="random; without it nobody can tell whom a row counts"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_throttle_periods"),
    )
    op.create_table(
        "throttle_counts",
        sa.Column("period", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.String(64), nullable=False, comment="keyed hash of a login name or a network address"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["period"], ["throttle_periods.number"], name="fk_throttle_counts_period", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("period", "subject", name="pk_throttle_counts"),
    )
