"""What operators look at, as JSON: rounds, drift of people's calls, drift of the model."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api.auth.bearer import FOR_OPERATORS, Operator
from api.context import context_of
from api.documentation import BEARER_OPERATION, problems
from api.operator import service
from api.operator.rounds import LAST_ROUNDS
from api.operator.schemas import (
    DriftAnswer,
    ModelAnswer,
    RoundAnswer,
    drift_answer,
    model_answer,
    override_answer,
    round_answer,
)
from api.problems import Problem
from models.domain.window import open_window

router = APIRouter(prefix="/v1/operator", tags=["operator"])

Last = Annotated[int, Query(ge=1, le=LAST_ROUNDS, description="The last so many rounds.")]

_FROM_REGISTRY = FOR_OPERATORS | problems(Problem.NOT_READY, Problem.DATABASE_UNAVAILABLE)


@router.get("/rounds", responses=_FROM_REGISTRY | problems(Problem.INVALID), openapi_extra=BEARER_OPERATION)
def read_rounds(operator: Operator, request: Request, last: Last = 100) -> list[RoundAnswer]:
    """The last rounds of training, in order."""
    with operator.open(write=False):
        return [round_answer(report) for report in service.read_rounds(context_of(request).settings.registry, last)]


@router.get("/drift", responses=FOR_OPERATORS, openapi_extra=BEARER_OPERATION)
def read_drift(operator: Operator) -> DriftAnswer:
    """How far a year's released figures lie from their references, and which lie farther than noise explains."""
    with operator.open(write=False) as call:
        week = open_window(call.now)
        return DriftAnswer(
            drifts=[drift_answer(found) for found in service.read_drifts(call.connection, week)],
            overrides=[
                override_answer(found.window.name, found.ratio)
                for found in service.read_overrides(call.connection, week)
            ],
        )


@router.get("/models", responses=_FROM_REGISTRY, openapi_extra=BEARER_OPERATION)
def read_models(operator: Operator, request: Request) -> list[ModelAnswer]:
    """Every release, how it did on the acceptance set, and how far it went from the model before."""
    with operator.open(write=False):
        found = service.read_models(context_of(request).settings.registry)
    return [model_answer(model.release, model.profile) for model in found]
