"""The audit log, and operators' orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operator_orders",
        sa.Column("name", sa.String(40), nullable=False, comment="as in the registry; sorts by time"),
        sa.Column("content", sa.Text, nullable=False, comment="JSON, as it stands in the registry"),
        sa.Column("placed_by", sa.String(32), nullable=False, comment="random id of the operator"),
        sa.PrimaryKeyConstraint("name", name="pk_operator_orders"),
    )
    op.create_table(
        "audit_log",
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False, comment="from 1, without gaps"),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("actor_kind", sa.String(8), nullable=False),
        sa.Column("actor_id", sa.String(32), nullable=False, comment="random; empty where nobody is known"),
        sa.Column("subject", sa.String(64), nullable=False, comment="id of what it was done to, or empty"),
        sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256 over the former row's and this row"),
        sa.PrimaryKeyConstraint("number", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_event", "audit_log", ["event"])


def downgrade() -> None:
    op.drop_table("audit_log")
    op.drop_table("operator_orders")
