"""The tables. Moments are whole seconds since 1970. docs/privacy.md says who reads a column and how long it lives."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _device_column(*, primary: bool) -> Column[str]:
    return Column(
        "device_id",
        String(32),
        ForeignKey("devices.id", ondelete="CASCADE"),
        primary_key=primary,
        nullable=False,
    )


devices = Table(
    "devices",
    metadata,
    Column("id", String(32), primary_key=True, comment="random, made here; says nothing of the phone"),
    Column("sealed_secret", LargeBinary, nullable=False, comment="AES-256-GCM, bound to the id"),
    Column("encryption_key", String(16), nullable=False, comment="id of the key that sealed it"),
)

nonces = Table(
    "nonces",
    metadata,
    _device_column(primary=True),
    Column("nonce", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, comment="deleted soon after"),
    Index("ix_nonces_expires_at", "expires_at"),
)

consents = Table(
    "consents",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _device_column(primary=False),
    Column("purpose", String(16), nullable=False),
    Column("given", Boolean, nullable=False, comment="false is a withdrawal"),
    Column("text_version", String(16), nullable=False),
    Column("language", String(2), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("receipt", String(32), nullable=False, comment="random; the person has it too"),
    Column("guardian_record", String(32), nullable=True, comment="of a child under 14: what a guardian consented by"),
    CheckConstraint("purpose IN ('detection', 'training', 'statistics')", name="purpose"),
    Index("ix_consents_device_id_purpose_id", "device_id", "purpose", "id"),
)
"""A ledger: rows are added, never changed; they go only when the whole device goes."""

windows = Table(
    "windows",
    metadata,
    Column("name", String(8), primary_key=True),
    Column("state", String(8), nullable=False),
    Column("reports", Integer, nullable=False, comment="0 while the window is open"),
    Column("closed_at", BigInteger, nullable=True),
    CheckConstraint("state IN ('open', 'released', 'withheld')", name="state"),
)

reports = Table(
    "reports",
    metadata,
    _device_column(primary=True),
    Column("window", String(8), ForeignKey("windows.name"), primary_key=True),
    Column("metric", String(32), nullable=False, comment="drawn on the device, whatever the call was"),
    Column("answer", Text, nullable=False, comment="randomised on the device; canonical JSON"),
    Index("ix_reports_window", "window"),
)
"""Lives until its window is closed or consent is withdrawn, whichever comes first."""

figures = Table(
    "figures",
    metadata,
    Column("window", String(8), ForeignKey("windows.name"), primary_key=True),
    Column("metric", String(32), primary_key=True),
    Column("epsilon", Float, nullable=False),
    Column("reports", Integer, nullable=False),
    Column("counts", Text, nullable=False, comment="randomised answers by value, JSON"),
    Column("estimates", Text, nullable=False, comment="as released, JSON"),
)
"""Anonymous and frozen: no link to a device."""

drifts = Table(
    "drifts",
    metadata,
    Column("window", String(8), ForeignKey("windows.name"), primary_key=True),
    Column("metric", String(32), primary_key=True),
    Column("against", String(8), primary_key=True),
    Column("reference", String(16), nullable=False, comment="a release's version, or a window"),
    Column("reports", Integer, nullable=False),
    Column("effective_reports", Float, nullable=False, comment="answers in clear that would tell as much"),
    Column("p", Float, nullable=False, comment="of the most surprising statistic"),
    Column("statistics", Text, nullable=False, comment="value, threshold and p of each, JSON"),
    CheckConstraint("against IN ('release', 'window')", name="against"),
)
"""How far a figure lies from its reference, measured once: an alarm doesn't change afterwards."""

people = Table(
    "people",
    metadata,
    Column("id", String(32), primary_key=True, comment="random"),
    Column("name", String(32), nullable=False, unique=True, comment="chosen by the person; need not be theirs"),
    Column("password_hash", String(255), nullable=False, comment="argon2id with its salt and cost"),
    Column("role", String(8), nullable=False),
    CheckConstraint("role IN ('person', 'operator')", name="role"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True, comment="random; in access tokens as sid"),
    Column("person_id", String(32), ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("token_hash", String(64), nullable=False, comment="SHA-256 of the one refresh token that is good"),
    Column("started_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, comment="deleted soon after"),
    Index("ix_sessions_person_id", "person_id"),
    Index("ix_sessions_expires_at", "expires_at"),
)
"""A login on one device; it goes with a logout, with the reuse of an old refresh token, or with the person."""

throttle_periods = Table(
    "throttle_periods",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="quarters of an hour since 1970"),
    Column("salt", LargeBinary, nullable=False, comment="random; without it nobody can tell whom a row counts"),
)

throttle_counts = Table(
    "throttle_counts",
    metadata,
    Column("period", BigInteger, ForeignKey("throttle_periods.number", ondelete="CASCADE"), primary_key=True),
    Column("subject", String(64), primary_key=True, comment="keyed hash of a login name or a network address"),
    Column("attempts", Integer, nullable=False),
)
"""Attempts to log in or to sign up; deleted with their period."""

next_secrets = Table(
    "next_secrets",
    metadata,
    _device_column(primary=True),
    Column("sealed_secret", LargeBinary, nullable=False, comment="AES-256-GCM, bound to the id"),
    Column("encryption_key", String(16), nullable=False, comment="id of the key that sealed it"),
)
"""A secret that was handed out and not used yet; its first use puts it in the old one's place."""

training_keys = Table(
    "training_keys",
    metadata,
    _device_column(primary=True),
    Column("node_key", LargeBinary, nullable=False, unique=True, comment="public; Flower's, EC P-384, DER"),
    Column("identity_key", LargeBinary, nullable=False, unique=True, comment="public; Ed25519, 32 bytes"),
    Column("registration", String(40), nullable=True, comment="order that let the node in; null while it is out"),
)
"""Go with the consent to training."""

device_links = Table(
    "device_links",
    metadata,
    _device_column(primary=True),
    Column("person_id", String(32), ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Index("ix_device_links_person_id", "person_id"),
)
"""Which devices a person said are theirs; a device needs no person."""

guardian_records = Table(
    "guardian_records",
    metadata,
    Column("id", String(32), primary_key=True, comment="random; the guardian is given it"),
    Column("purpose", String(16), nullable=False),
    Column("reference", String(64), nullable=False, comment="where the operator keeps how the guardian was verified"),
    Column("recorded_at", BigInteger, nullable=False),
    Column(
        "device_id",
        String(32),
        ForeignKey("devices.id", ondelete="CASCADE"),
        nullable=True,
        comment="the child's, from the first use on",
    ),
    CheckConstraint("purpose IN ('detection', 'training', 'statistics')", name="purpose"),
    Index("ix_guardian_records_device_id", "device_id"),
)
"""A guardian's consent for a child under 14 (PIPA 22-2): no name and no date of birth."""

pending_orders = Table(
    "pending_orders",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("content", Text, nullable=False, comment="JSON, as it will stand in the registry"),
)
"""Orders on their way into the registry: made in a request's own transaction, written right after it."""

operator_orders = Table(
    "operator_orders",
    metadata,
    Column("name", String(40), primary_key=True, comment="as in the registry; sorts by time"),
    Column("content", Text, nullable=False, comment="JSON, as it stands in the registry"),
    Column("placed_by", String(32), nullable=False, comment="random id of the operator"),
)
"""What operators ordered: kept, so that it can be listed without reading every device's orders."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="from 1, without gaps"),
    Column("recorded_at", BigInteger, nullable=False),
    Column("event", String(32), nullable=False),
    Column("actor_kind", String(8), nullable=False),
    Column("actor_id", String(32), nullable=False, comment="random; empty where nobody is known"),
    Column("subject", String(64), nullable=False, comment="what it was done to, or empty"),
    Column("hash", String(64), nullable=False, comment="SHA-256 over the former row's and this row"),
    Index("ix_audit_log_event", "event"),
)
"""A chain: rows are added at its end, never changed and never deleted."""
