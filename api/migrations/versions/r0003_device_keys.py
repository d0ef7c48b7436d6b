"""Devices' next secrets, training keys and people; guardians' consents; orders on their way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _extend_devices()
    _create_guardian_records()
    op.create_table(
        "pending_orders",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("content", sa.Text, nullable=False, comment="JSON, as it will stand in the registry"),
        sa.PrimaryKeyConstraint("name", name="pk_pending_orders"),
    )


def downgrade() -> None:
    op.drop_column("consents", "guardian_record")
    for table in ("pending_orders", "guardian_records", "device_links", "training_keys", "next_secrets"):
        op.drop_table(table)


def _device_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=f"fk_{table}_device_id", ondelete="CASCADE")


def _extend_devices() -> None:
    op.create_table(
        "next_secrets",
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary, nullable=False, comment="AES-256-GCM, bound to the id"),
        sa.Column("encryption_key", sa.String(16), nullable=False, comment="id of the key that sealed it"),
        _device_key("next_secrets"),
        sa.PrimaryKeyConstraint("device_id", name="pk_next_secrets"),
    )
    op.create_table(
        "training_keys",
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("node_key", sa.LargeBinary, nullable=False, comment="public; Flower's, EC P-384, DER"),
        sa.Column("identity_key", sa.LargeBinary, nullable=False, comment="public; Ed25519, 32 bytes"),
        sa.Column(
            "registration", sa.String(40), nullable=True, comment="order that let the node in; null while it is out"
        ),
        _device_key("training_keys"),
        sa.PrimaryKeyConstraint("device_id", name="pk_training_keys"),
        sa.UniqueConstraint("node_key", name="uq_training_keys_node_key"),
        sa.UniqueConstraint("identity_key", name="uq_training_keys_identity_key"),
    )
    op.create_table(
        "device_links",
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        _device_key("device_links"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_device_links_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", name="pk_device_links"),
    )
    op.create_index("ix_device_links_person_id", "device_links", ["person_id"])


def _create_guardian_records() -> None:
    op.create_table(
        "guardian_records",
        sa.Column("id", sa.String(32), nullable=False, comment="random; the guardian is given it"),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column(
            "reference",
            sa.String(64),
            nullable=False,
            comment="where the operator keeps how the guardian was verified",
        ),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("device_id", sa.String(32), nullable=True, comment="the child's, from the first use on"),
        sa.CheckConstraint(
            "purpose IN ('detection', 'training', 'statistics')", name=op.f("ck_guardian_records_purpose")
        ),
        _device_key("guardian_records"),
        sa.PrimaryKeyConstraint("id", name="pk_guardian_records"),
    )
    op.create_index("ix_guardian_records_device_id", "guardian_records", ["device_id"])
    op.add_column(
        "consents",
        sa.Column(
            "guardian_record",
            sa.String(32),
            nullable=True,
            comment="of a child under 14: what a guardian consented by",
        ),
    )
