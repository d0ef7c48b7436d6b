"""The audit log over HTTP, for operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.audit import service
from api.audit.schemas import AuditAnswer, audit_answer
from api.auth.bearer import FOR_OPERATORS, Operator
from api.documentation import BEARER_OPERATION, problems
from api.problems import Problem

router = APIRouter(prefix="/v1/audit", tags=["audit"])

Before = Annotated[int | None, Query(ge=1, le=2**62, description="Rows with lower numbers only.")]

Limit = Annotated[int, Query(ge=1, le=500, description="Rows of one answer.")]


@router.get("", responses=FOR_OPERATORS | problems(Problem.INVALID), openapi_extra=BEARER_OPERATION)
def read_audit(operator: Operator, before: Before = None, limit: Limit = 100) -> AuditAnswer:
    """Who did what, the newest first. `python -m api audit` verifies that nothing of it was changed."""
    with operator.open(write=False) as call:
        return audit_answer(service.read_page(call.connection, before, limit))
