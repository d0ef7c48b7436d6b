"""What is said over HTTP about the audit log."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.audit.service import AuditPage
from api.moments import moment

_EXAMPLE: JsonDict = {
    "number": 41,
    "recorded_at": "2026-11-19T09:30:00Z",
    "event": "rollout-ordered",
    "actor_kind": "operator",
    "actor_id": "5b0f2d0c9e6f4a57a3c1de8b7f204c19",
    "actor_name": "the-operator",
    "subject": "1795080600000-7c9e6679f3d04f2b release=3 percent=20",
    "hash": "9f86d081884c7d65" * 4,
}


class AuditRowAnswer(BaseModel):
    """Who did what, and when."""

    number: int = Field(description="Counts from 1, without gaps.")
    recorded_at: datetime
    event: str
    actor_kind: str
    actor_id: str = Field(description="Random; empty where nobody is known.")
    actor_name: str | None = Field(description="Login name of an operator who is still one; of nobody else.")
    subject: str = Field(
        description="What it was done to, where that is not the actor: an id, a purpose, a window, "
        "or an order with its release and percentage; else empty."
    )
    hash: str = Field(description="SHA-256 over the former row's hash and all of this row.")


class AuditAnswer(BaseModel):
    """Some rows, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": [_EXAMPLE], "before": 41}]})

    rows: list[AuditRowAnswer]
    before: int | None = Field(description="Ask with it for the rows before these; null at the log's beginning.")


def audit_answer(page: AuditPage) -> AuditAnswer:
    """Return a page as it is said over HTTP."""
    rows = [
        AuditRowAnswer(
            number=row.number,
            recorded_at=moment(row.deed.recorded_at),
            event=row.deed.event,
            actor_kind=row.deed.actor_kind,
            actor_id=row.deed.actor_id,
            actor_name=page.operators.get(row.deed.actor_id),
            subject=row.deed.subject,
            hash=row.hash,
        )
        for row in page.rows
    ]
    return AuditAnswer(rows=rows, before=page.before)
