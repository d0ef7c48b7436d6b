"""Metrics for Prometheus, on this machine only."""

from __future__ import annotations

import ipaddress
from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from api.documentation import problems
from api.problems import Problem, ProblemError

router = APIRouter(tags=["health"])

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@router.get("/metrics", response_class=PlainTextResponse, responses=problems(Problem.NOT_FOUND))
def read_metrics(request: Request) -> PlainTextResponse:
    """For Prometheus on the same machine; for everybody else, and for what a proxy passed on, there is nothing here."""
    if not _is_local(request):
        raise ProblemError(Problem.NOT_FOUND, "there is nothing here")
    registry = cast(CollectorRegistry, request.app.state.metrics)
    return PlainTextResponse(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
