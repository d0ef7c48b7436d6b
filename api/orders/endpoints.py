"""Orders over HTTP, for operators: placed under the state that they saw, listed with what became of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request

from api.auth.bearer import FOR_OPERATORS, Operator
from api.context import context_of
from api.documentation import BEARER_OPERATION, problems
from api.orders import operators
from api.orders.schemas import OrderRequest, OrdersAnswer, PlacedAnswer, orders_answer
from api.orders.service import publish_orders
from api.problems import Problem

router = APIRouter(prefix="/v1/orders", tags=["orders"])

IfMatch = Annotated[str | None, Header(max_length=200, description="The ETag of `GET /v1/releases`.")]

Before = Annotated[str | None, Query(pattern=r"^[0-9a-f-]{1,40}$", description="Orders before this one only.")]

Limit = Annotated[int, Query(ge=1, le=200, description="Orders of one answer.")]


@router.post(
    "",
    status_code=202,
    responses=FOR_OPERATORS
    | problems(
        Problem.NOT_FOUND,
        Problem.STATE_CHANGED,
        Problem.STATE_MISSING,
        Problem.INVALID,
        Problem.DATABASE_UNAVAILABLE,
        Problem.NOT_READY,
    ),
    openapi_extra=BEARER_OPERATION,
)
def place(wanted: OrderRequest, operator: Operator, request: Request, if_match: IfMatch = None) -> PlacedAnswer:
    """Order a rollout, a rollback, or a pause. It is carried out later; `GET /v1/orders` says what became of it."""
    context = context_of(request)
    with operator.open() as call:
        name = operators.order_as_operator(call, context.settings.registry, wanted.wanted(), if_match)
    publish_orders(context)
    return PlacedAnswer(name=name)


@router.get(
    "",
    responses=FOR_OPERATORS | problems(Problem.INVALID, Problem.DATABASE_UNAVAILABLE, Problem.NOT_READY),
    openapi_extra=BEARER_OPERATION,
)
def list_orders(operator: Operator, request: Request, before: Before = None, limit: Limit = 50) -> OrdersAnswer:
    """What operators ordered and what became of it, the newest first."""
    with operator.open(write=False) as call:
        registry = context_of(request).settings.registry
        return orders_answer(operators.list_orders(call.connection, registry, before, limit))
