"""How many requests there were, of what kind, and how long they took. Nothing tells who sent one."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

NO_ROUTE = "none"
"""Stands for every path that is none of ours: what was asked for there is never a label."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double what is sent and say when this process began, which Prometheus knows


class RequestMetrics:
    """The request metrics of one application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route")
        self.answered = Counter(
            "hearsay_api_requests", "Requests by what answered them", (*labels, "status"), registry=registry
        )
        self.seconds = Histogram(
            "hearsay_api_request_seconds", "Time to the end of an answer", labels, buckets=_SECONDS, registry=registry
        )
        self.in_progress = Gauge("hearsay_api_requests_in_progress", "Requests that run", registry=registry)


class Measured:
    """Measures every request, whoever answers it."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, started = "none", time.perf_counter()

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        with self._metrics.in_progress.track_inprogress():
            try:
                await self._app(scope, receive, send_noting_status)
            finally:
                labels = (_method(scope), _route(scope))
                self._metrics.answered.labels(*labels, status).inc()
                self._metrics.seconds.labels(*labels).observe(time.perf_counter() - started)
        return None


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route(scope: Scope) -> str:
    """Return the template that a path matched, never the path: it may hold an id."""
    return str(getattr(scope.get("route"), "path", NO_ROUTE))
