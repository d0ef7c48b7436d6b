"""Whether the API is alive and whether it is ready."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel

from api.context import context_of
from api.database import require_current_schema
from api.documentation import problems
from api.orders.situation import require_releases
from api.problems import Problem, ProblemError
from models.errors import HearsayError

router = APIRouter(tags=["health"])


class HealthAnswer(BaseModel):
    """All is well."""

    status: str = "ok"


@router.get("/healthz", responses=problems())
async def check_health() -> HealthAnswer:
    """The process answers."""
    return HealthAnswer()


@router.get("/readyz", responses=problems(Problem.NOT_READY))
def check_readiness(request: Request) -> HealthAnswer:
    """The database is there, its tables are those that this program expects, and the registry can be read."""
    try:
        require_current_schema(context_of(request).engine)
    except HearsayError as error:
        raise ProblemError(Problem.NOT_READY, str(error)) from None
    require_releases(context_of(request).settings.registry)
    return HealthAnswer()


@router.get("/problems/{slug}", responses=problems(Problem.NOT_FOUND, Problem.INVALID))
async def explain_problem(slug: Annotated[str, Path(pattern=r"^[a-z-]{1,40}$")]) -> dict[str, Any]:
    """What a problem's `type` stands for."""
    for problem in Problem:
        if problem.slug == slug:
            return {"type": problem.uri, "title": problem.title, "status": problem.status}
    raise ProblemError(Problem.NOT_FOUND, "there is no such problem")
