"""Devices, consents and statistics."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_devices()
    _create_consents()
    _create_statistics()


def downgrade() -> None:
    for table in ("figures", "reports", "windows", "consents", "nonces", "devices"):
        op.drop_table(table)


def _device_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=f"fk_{table}_device_id", ondelete="CASCADE")


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.String(32), nullable=False, comment="random, made here; says nothing of the phone"),
        sa.Column("sealed_secret", sa.LargeBinary, nullable=False, comment="AES-256-GCM, bound to the id"),
        sa.Column("encryption_key", sa.String(16), nullable=False, comment="id of the key that sealed it"),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
    )
    op.create_table(
        "nonces",
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, comment="deleted soon after"),
        _device_key("nonces"),
        sa.PrimaryKeyConstraint("device_id", "nonce", name="pk_nonces"),
    )
    op.create_index("ix_nonces_expires_at", "nonces", ["expires_at"])


def _create_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("given", sa.Boolean, nullable=False, comment="false is a withdrawal"),
        sa.Column("text_version", sa.String(16), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("receipt", sa.String(32), nullable=False, comment="random; the person has it too"),
        _device_key("consents"),
        sa.CheckConstraint("purpose IN ('detection', 'training', 'statistics')", name=op.f("ck_consents_purpose")),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_device_id_purpose_id", "consents", ["device_id", "purpose", "id"])


def _create_statistics() -> None:
    op.create_table(
        "windows",
        sa.Column("name", sa.String(8), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reports", sa.Integer, nullable=False, comment="0 while the window is open"),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        sa.CheckConstraint("state IN ('open', 'released', 'withheld')", name=op.f("ck_windows_state")),
        sa.PrimaryKeyConstraint("name", name="pk_windows"),
    )
    op.create_table(
        "reports",
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("window", sa.String(8), nullable=False),
        sa.Column("answers", sa.Text, nullable=False, comment="randomised on the device; canonical JSON"),
        _device_key("reports"),
        sa.ForeignKeyConstraint(["window"], ["windows.name"], name="fk_reports_window"),
        sa.PrimaryKeyConstraint("device_id", "window", name="pk_reports"),
    )
    op.create_index("ix_reports_window", "reports", ["window"])
    op.create_table(
        "figures",
        sa.Column("window", sa.String(8), nullable=False),
        sa.Column("metric", sa.String(32), nullable=False),
        sa.Column("epsilon", sa.Float, nullable=False),
        sa.Column("reports", sa.Integer, nullable=False),
        sa.Column("counts", sa.Text, nullable=False, comment="randomised answers by value, JSON"),
        sa.Column("estimates", sa.Text, nullable=False, comment="as released, JSON"),
        sa.ForeignKeyConstraint(["window"], ["windows.name"], name="fk_figures_window"),
        sa.PrimaryKeyConstraint("window", "metric", name="pk_figures"),
    )
