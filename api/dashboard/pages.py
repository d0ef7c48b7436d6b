"""The operator's pages. Each is one transaction that reads figures, never reports."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from starlette.responses import Response

from api.audit import service as audit
from api.auth.browser import open_browser
from api.context import context_of
from api.dashboard import audit_view, calls_view, drift_view, model_view, rounds_view
from api.dashboard.rendering import render
from api.operator import service
from api.operator.rounds import LAST_ROUNDS
from api.orders.operators import list_orders
from api.orders.schemas import orders_answer
from api.orders.situation import read_situation
from api.problems import Problem, ProblemError
from api.statistics.repository import figures_of
from models.domain.statistic import SCAM_TYPE, VERDICT
from models.domain.window import open_window

router = APIRouter()

_ORDERS_SHOWN = 20
_AUDIT_SHOWN = 50

Version = Annotated[int, Query(ge=1, le=2**53)]
Percent = Annotated[int, Query(ge=0, le=100)]
Before = Annotated[int | None, Query(ge=1, le=2**62)]


@router.get("/login")
def show_login(request: Request) -> Response:
    """The form to log in by."""
    return render(request, "login.html.j2", error=None)


@router.get("/")
def show_overview(request: Request) -> Response:
    """Model and release now, alarms, the last round, what was spent."""
    registry = context_of(request).settings.registry
    with open_browser(request) as browser:
        week = open_window(browser.call.now)
        drifts = service.read_drifts(browser.call.connection, week)
        types = figures_of(browser.call.connection, SCAM_TYPE.name)
        situation = read_situation(browser.call.connection, registry)
    rounds = service.read_rounds(registry, LAST_ROUNDS)
    return render(
        request,
        "overview.html.j2",
        page="overview",
        form_token=browser.form_token,
        models=service.read_models(registry),
        situation=situation,
        rounds=rounds,
        week=week,
        newest=max((found.window.name for found in drifts), default=None),
        alarms=drift_view.newest_alarms(drifts),
        dropouts=rounds_view.dropout_share(rounds),
        charts=[calls_view.draw_types(types)] if types else [],
    )


@router.get("/calls")
def show_calls(request: Request) -> Response:
    """What people's calls are like, week after week."""
    with open_browser(request) as browser:
        connection = browser.call.connection
        verdicts, types = figures_of(connection, VERDICT.name), figures_of(connection, SCAM_TYPE.name)
        overrides = service.read_overrides(connection, open_window(browser.call.now))
    charts = [
        *([calls_view.draw_warned(verdicts)] if verdicts else []),
        *([calls_view.draw_types(types)] if types else []),
        *([calls_view.draw_overrides(overrides)] if overrides else []),
    ]
    return render(request, "calls.html.j2", page="calls", form_token=browser.form_token, charts=charts)


@router.get("/drift")
def show_drift(request: Request) -> Response:
    """Which figures drifted, and by how much."""
    with open_browser(request) as browser:
        drifts = service.read_drifts(browser.call.connection, open_window(browser.call.now))
    return render(
        request,
        "drift.html.j2",
        page="drift",
        form_token=browser.form_token,
        table=drift_view.tabulate_alarms(drifts),
        alarms=drift_view.newest_alarms(drifts),
        charts=drift_view.draw_drifts(drifts),
    )


@router.get("/model")
def show_model(request: Request) -> Response:
    """The model from release to release."""
    with open_browser(request) as browser:
        models = service.read_models(context_of(request).settings.registry)
    charts = [chart for chart in (model_view.draw_accuracy(models), model_view.draw_change(models)) if chart]
    return render(request, "model.html.j2", page="model", form_token=browser.form_token, models=models, charts=charts)


@router.get("/rounds")
def show_rounds(request: Request) -> Response:
    """The rounds, who replied, how good the model became, and what it spent."""
    with open_browser(request) as browser:
        rounds = service.read_rounds(context_of(request).settings.registry, LAST_ROUNDS)
    drawn = (
        (rounds_view.draw_replies, rounds_view.draw_acceptance, rounds_view.draw_epsilon, rounds_view.draw_clipping)
        if rounds
        else ()
    )
    return render(
        request,
        "rounds.html.j2",
        page="rounds",
        form_token=browser.form_token,
        rounds=rounds,
        charts=[chart for draw in drawn if (chart := draw(rounds)) is not None],
    )


@router.get("/releases")
def show_releases(request: Request) -> Response:
    """The releases, and what operators ordered of them."""
    registry = context_of(request).settings.registry
    with open_browser(request) as browser:
        situation = read_situation(browser.call.connection, registry)
        orders = orders_answer(list_orders(browser.call.connection, registry, None, _ORDERS_SHOWN))
    return render(
        request,
        "releases.html.j2",
        page="releases",
        form_token=browser.form_token,
        situation=situation,
        orders=orders.orders,
    )


@router.get("/releases/{kind}/confirm")
def confirm_pause(kind: Annotated[Literal["pause", "resume"], PathParameter()], request: Request) -> Response:
    """Say what pausing rounds, or going on, would do, and ask whether it is wanted."""
    with open_browser(request) as browser:
        situation = read_situation(browser.call.connection, context_of(request).settings.registry)
    return render(
        request,
        "confirm_pause.html.j2",
        page="releases",
        form_token=browser.form_token,
        kind=kind,
        situation=situation,
    )


@router.get("/releases/{kind}")
def confirm_rollout(
    kind: Annotated[Literal["set-rollout", "roll-back"], PathParameter()],
    request: Request,
    version: Version,
    rollout_percent: Percent,
) -> Response:
    """Say what an order would do, and ask for the version once more."""
    with open_browser(request) as browser:
        situation = read_situation(browser.call.connection, context_of(request).settings.registry)
    if not situation.has(version):
        raise ProblemError(Problem.NOT_FOUND, "there is no such release")
    return render(
        request,
        "confirm.html.j2",
        page="releases",
        form_token=browser.form_token,
        kind=kind,
        version=version,
        rollout_percent=rollout_percent,
        situation=situation,
    )


@router.get("/audit")
def show_audit(request: Request, before: Before = None) -> Response:
    """Who did what, the newest first."""
    with open_browser(request) as browser:
        found = audit.read_page(browser.call.connection, before, _AUDIT_SHOWN)
    return render(
        request,
        "audit.html.j2",
        page="audit",
        form_token=browser.form_token,
        lines=audit_view.describe_page(found),
        before=found.before,
    )
