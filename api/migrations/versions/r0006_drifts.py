"""How far released figures lie from their references."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drifts",
        sa.Column("window", sa.String(8), nullable=False),
        sa.Column("metric", sa.String(32), nullable=False),
        sa.Column("against", sa.String(8), nullable=False),
        sa.Column("reference", sa.String(16), nullable=False, comment="a release's version, or a window"),
        sa.Column("reports", sa.Integer, nullable=False),
        sa.Column("effective_reports", sa.Float, nullable=False, comment="answers in clear that would tell as much"),
        sa.Column("p", sa.Float, nullable=False, comment="of the most surprising statistic"),
        sa.Column("statistics", sa.Text, nullable=False, comment="value, threshold and p of each, JSON"),
        sa.ForeignKeyConstraint(["window"], ["windows.name"], name="fk_drifts_window"),
        sa.PrimaryKeyConstraint("window", "metric", "against", name="pk_drifts"),
        sa.CheckConstraint("against IN ('release', 'window')", name=op.f("ck_drifts_against")),
    )


def downgrade() -> None:
    op.drop_table("drifts")
