"""Rounds, drift and models as operators read them: measured once, frozen, from figures and signed profiles."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from prometheus_client import generate_latest
from sqlalchemy import event, insert

from api.database import transaction
from api.operator.drift import measure_new_figures
from api.operator.repository import Against, DriftOfFigure, list_drifts
from api.statistics.repository import Figure, WindowState, insert_figure
from api.tables import windows
from api.upkeep import run_upkeep
from fl_server.registry import append_round, create_registry
from fl_server.release.publishing import publish_release, roll_back, set_rollout
from models.domain.statistic import METRICS, OVERRIDE, RELEASE, VERDICT
from models.domain.window import Window, open_window
from models.privacy.local_randomiser import LocalRandomiser
from simulations.half_a_year import DRIFTED, USUAL, make_profile, make_rounds
from tests.api.conftest import Api
from tests.api.people import operator, problem
from tests.release_server import Publisher, write_export

ANSWERS = 4000


@pytest.fixture
def api(fresh_api: Api) -> Api:
    return fresh_api


@pytest.fixture
def publisher(api: Api) -> Publisher:
    """A publisher into the API's own registry."""
    publisher = Publisher(api.registry.parent)
    assert publisher.registry.root == api.registry
    return publisher


def week(api: Api, back: int) -> Window:
    return Window(open_window(api.clock.now).monday - timedelta(weeks=back))


def release(publisher: Publisher, version: int, at: datetime, percent: int = 100) -> None:
    write_export(publisher.folder / "exported", b"weights")
    profile = make_profile(version, at)
    publish_release(
        publisher.registry, publisher.online, publisher.folder / "exported", version, percent, profile=profile
    )


def fold(api: Api, window: Window, shares: Mapping[str, Mapping[str, float]] = USUAL, *names: str) -> None:
    """Release the figures of a window as if devices had answered."""
    rng = np.random.default_rng(window.number)
    with transaction(api.engine) as connection:
        values = {"state": WindowState.RELEASED.value, "reports": ANSWERS, "closed_at": 1}
        connection.execute(insert(windows).values(name=window.name, **values))
        for name in names or (VERDICT.name,):
            metric = METRICS[name]
            randomiser = LocalRandomiser(metric.values, metric.epsilon)
            truth = np.array([shares[name].get(value, 0.0) for value in metric.values])
            drawn = randomiser.draw_counts(truth / truth.sum(), ANSWERS, rng)
            counts = dict(zip(metric.values, drawn.tolist(), strict=True))
            estimates = randomiser.estimate(counts, ANSWERS)
            insert_figure(connection, Figure(window, name, metric.epsilon, ANSWERS, counts, estimates))


def measured(api: Api) -> list[DriftOfFigure]:
    measure_new_figures(api.app.state.context)
    with transaction(api.engine, write=False) as connection:
        return list_drifts(connection)


def references(found: list[DriftOfFigure]) -> list[tuple[str, Against, str]]:
    return [(drift.window.name, drift.against, drift.reference) for drift in found]


def test_a_figure_is_held_against_the_releases_profile_and_against_its_first_window(
    api: Api, publisher: Publisher
) -> None:
    release(publisher, 1, api.clock.now - timedelta(weeks=20))
    first, last = week(api, 3), week(api, 1)
    fold(api, first)
    fold(api, last, DRIFTED)
    found = measured(api)
    assert references(found) == [
        (first.name, Against.RELEASE, "1"),
        (last.name, Against.RELEASE, "1"),
        (last.name, Against.WINDOW, first.name),
    ]
    assert [drift.drift.alarms for drift in found] == [False, True, True]


def test_what_was_measured_stays_whatever_is_released_later(api: Api, publisher: Publisher) -> None:
    release(publisher, 1, api.clock.now - timedelta(weeks=20))
    fold(api, week(api, 2))
    before = measured(api)
    release(publisher, 2, api.clock.now - timedelta(weeks=19))
    fold(api, week(api, 1))
    assert [drift for drift in measured(api) if drift.window == week(api, 2)] == before


def test_a_window_is_held_against_the_newest_release_that_all_devices_were_offered_before_it_ended(
    api: Api, publisher: Publisher
) -> None:
    window = week(api, 2)
    release(publisher, 1, window.starts - timedelta(weeks=9))
    release(publisher, 2, window.starts - timedelta(days=1))
    release(publisher, 3, window.starts - timedelta(hours=1), percent=10)
    release(publisher, 4, window.ends + timedelta(hours=1))
    fold(api, window)
    assert references(measured(api)) == [(window.name, Against.RELEASE, "2")]


def test_a_window_before_the_first_release_is_held_against_that_one(api: Api, publisher: Publisher) -> None:
    window = week(api, 1)
    release(publisher, 1, window.ends + timedelta(days=3))
    fold(api, window)
    assert references(measured(api)) == [(window.name, Against.RELEASE, "1")]


def test_after_a_rollback_the_models_own_first_window_is_the_reference_again(api: Api, publisher: Publisher) -> None:
    weeks = [week(api, back) for back in (5, 4, 3, 2)]
    release(publisher, 1, weeks[0].starts)
    release(publisher, 2, weeks[2].starts)
    roll_back(publisher.registry, publisher.online, 1, now=weeks[3].starts.astimezone(UTC))
    for each in weeks:
        fold(api, each)
    against_window = [drift for drift in measured(api) if drift.against is Against.WINDOW]
    assert references(against_window) == [
        (weeks[1].name, Against.WINDOW, weeks[0].name),
        (weeks[3].name, Against.WINDOW, weeks[0].name),
    ]


def test_without_any_profile_only_windows_are_compared(api: Api) -> None:
    create_registry(api.registry)
    for back in (3, 2):
        fold(api, week(api, back))
    assert references(measured(api)) == [(week(api, 2).name, Against.WINDOW, week(api, 3).name)]


def test_which_release_devices_run_is_no_drift(api: Api) -> None:
    for back in (3, 2):
        fold(api, week(api, back), USUAL, *METRICS)
    assert {drift.metric for drift in measured(api)} == set(METRICS) - {RELEASE.name}


def test_measuring_again_measures_nothing_again(api: Api, publisher: Publisher) -> None:
    release(publisher, 1, api.clock.now - timedelta(weeks=20))
    fold(api, week(api, 1), DRIFTED)
    first = measured(api)
    set_rollout(publisher.registry, publisher.online, 1, 50)
    assert measured(api) == first


def test_drift_is_measured_on_every_database(make_api: Callable[[str], Api], database_url: str) -> None:
    api = make_api(database_url)
    for back in (4, 3, 2):
        fold(api, week(api, back), DRIFTED if back == 2 else USUAL)
    assert [(drift.reference, drift.drift.alarms) for drift in measured(api)] == [
        (week(api, 4).name, False),
        (week(api, 4).name, True),
    ]
    told = operator(api).request("GET", "/v1/operator/drift").json()
    assert [drift["alarm"] for drift in told["drifts"]] == [False, True]


def test_prometheus_is_told_how_many_alarms_the_newest_week_has(api: Api) -> None:
    for back in (4, 3, 2):
        fold(api, week(api, back), DRIFTED if back == 2 else USUAL)
    measure_new_figures(api.app.state.context)
    assert "hearsay_drift_alarms 1.0" in generate_latest(api.app.state.metrics).decode()


def test_upkeep_measures(api: Api) -> None:
    for back in (3, 2):
        fold(api, week(api, back))
    run_upkeep(api.app.state.context)
    assert api.count("drifts") == 1


@pytest.mark.parametrize("damage", ["{", '{"version": 1}'])
def test_a_profile_that_is_not_the_signed_one_is_not_believed(api: Api, publisher: Publisher, damage: str) -> None:
    release(publisher, 1, api.clock.now - timedelta(weeks=20))
    publisher.files_of(1, "profile.json").write_text(damage)
    fold(api, week(api, 1))
    assert measured(api) == []
    answer = operator(api).request("GET", "/v1/operator/models")
    assert problem(answer) == (503, "not-ready")


def test_operators_read_drift_with_its_thresholds(api: Api, publisher: Publisher) -> None:
    release(publisher, 1, api.clock.now - timedelta(weeks=20))
    fold(api, week(api, 1), DRIFTED, VERDICT.name, OVERRIDE.name)
    measure_new_figures(api.app.state.context)
    told = operator(api).request("GET", "/v1/operator/drift").json()
    assert told["alarm_level"] == 0.01
    (drift,) = told["drifts"]
    assert (drift["metric"], drift["against"], drift["reference"], drift["alarm"]) == ("verdict", "release", "1", True)
    psi = drift["statistics"]["population_stability_index"]
    assert psi["value"] > psi["threshold"] > 0
    assert 0 < drift["effective_reports"] < ANSWERS
    (override,) = told["overrides"]
    assert override["low"] <= 0.25 <= override["high"]  # .03 of .12 warned calls


def test_operators_read_rounds_the_last_of_them_first_when_asked_for_few(api: Api, publisher: Publisher) -> None:
    for report in make_rounds(12):
        append_round(publisher.registry, report)
    me = operator(api)
    assert [told["number"] for told in me.request("GET", "/v1/operator/rounds").json()] == list(range(1, 13))
    assert [told["number"] for told in me.request("GET", "/v1/operator/rounds?last=2").json()] == [11, 12]
    assert me.request("GET", "/v1/operator/rounds?last=0").status_code == 422


def test_a_damaged_round_is_said_to_be_so(api: Api, publisher: Publisher) -> None:
    (publisher.registry.rounds / "000001.json").write_text("{}")
    assert problem(operator(api).request("GET", "/v1/operator/rounds")) == (503, "not-ready")


def test_operators_read_every_release_with_its_profile(api: Api, publisher: Publisher) -> None:
    publisher.publish(1)
    release(publisher, 2, api.clock.now)
    roll_back(publisher.registry, publisher.online, 2, now=api.clock.now)
    older, newer, again = operator(api).request("GET", "/v1/operator/models").json()
    assert (older["version"], older["acceptance"], older["change"]) == (1, None, None)
    assert newer["change"]["cosine"] == 0.994
    assert (again["version"], again["same_as"], again["change"]) == (3, 2, None)
    assert again["acceptance"] == newer["acceptance"]


def test_nothing_that_operators_look_at_reads_reports(api: Api, publisher: Publisher) -> None:
    me, asked = operator(api), []
    event.listen(api.engine, "before_cursor_execute", lambda *args: asked.append(args[2].lower()))
    for path in ("rounds", "drift", "models"):
        assert me.request("GET", f"/v1/operator/{path}").status_code == 200
    assert asked
    assert not [statement for statement in asked if re.search(r"\b(from|join) reports\b", statement)]
