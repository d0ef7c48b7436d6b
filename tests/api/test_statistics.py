from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import text

from api.database import transaction
from api.problems import ProblemError
from api.statistics.service import release_due_windows, release_window
from api.upkeep import run_upkeep
from fl_client.api_connection import NotReleasedError, ReportRefusedError
from fl_client.statistics import Report
from models.domain.consent import Purpose
from models.domain.statistic import REPORTS_BEFORE_RELEASE, VERDICT
from models.domain.window import Window, open_window
from models.errors import ConsentRefusedError, RefusedError
from models.privacy.randomised_response import randomise
from tests.api.conftest import Api


def report(api: Api, verdict: str = "none", window: Window | None = None) -> Report:
    return Report(window or open_window(api.clock.now), {"verdict": verdict}, VERDICT.epsilon)


def send_reports(api: Api, verdicts: list[str]) -> None:
    for verdict in verdicts:
        api.enrolled(Purpose.STATISTICS).send_report(report(api, verdict))


def test_a_device_without_consent_is_refused_and_nothing_is_stored(api: Api) -> None:
    for purposes in ((), (Purpose.DETECTION, Purpose.TRAINING)):
        with pytest.raises(ConsentRefusedError, match="statistics"):
            api.enrolled(*purposes).send_report(report(api))
    assert api.count("reports") == 0


def test_the_same_report_again_gets_the_same_answer_and_another_one_is_a_conflict(api: Api) -> None:
    device = api.enrolled(Purpose.STATISTICS)
    first = device.send_report(report(api, "normal"))
    assert device.send_report(report(api, "normal")) == first
    with pytest.raises(ReportRefusedError, match="once a window"):
        device.send_report(report(api, "dangerous"))
    assert api.count("reports") == 1


def test_reports_are_taken_for_the_last_finished_week_only(api: Api) -> None:
    device = api.enrolled(Purpose.STATISTICS)
    taken = open_window(api.clock.now)
    for days in (-7, 7):
        other = Window(taken.monday + timedelta(days=days))
        with pytest.raises(ReportRefusedError, match=taken.name):
            device.send_report(report(api, window=other))
    assert device.send_report(report(api)).window == taken.name


@pytest.mark.parametrize(
    "body",
    [
        {"window": "2026-W46", "answers": {"verdict": "안녕하세요 검찰청입니다"}},
        {"window": "2026-W46", "answers": {"verdict": "none", "note": "text"}},
        {"window": "2026-W46", "answers": {}},
        {"window": "2026-W46", "answers": {"verdict": "none"}, "transcript": "text"},
        {"window": "2026-W99", "answers": {"verdict": "none"}},
        {"window": "text", "answers": {"verdict": "none"}},
        {"window": 46, "answers": {"verdict": ["none"]}},
        [],
    ],
)
def test_nothing_but_closed_values_is_accepted_and_nothing_that_was_sent_is_quoted(api: Api, body: object) -> None:
    device = api.enrolled(Purpose.STATISTICS)
    response = api.connection.post("/v1/statistics/reports", json=body, auth=device._signature)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert not any(word in response.text for word in ("검찰", "note", "transcript", '"text"'))
    assert api.count("reports") == 0


def test_a_window_is_released_on_its_day_with_enough_reports_and_its_reports_are_deleted(api: Api) -> None:
    send_reports(api, ["normal"] * 30 + ["dangerous"] * 20)
    reader = api.enrolled(Purpose.STATISTICS)
    window = open_window(api.clock.now)
    with pytest.raises(NotReleasedError, match="is released after"):
        reader.figure("verdict", window)

    api.clock.now = window.collected_until - timedelta(seconds=1)
    run_upkeep(api.app.state.context)
    assert api.count("reports") == 50

    api.clock.now = window.collected_until
    run_upkeep(api.app.state.context)
    figure = reader.figure("verdict")
    assert (figure.window, figure.reports, figure.epsilon) == (window.name, 50, 2.0)
    # Of 50 answers 20 were "dangerous"; p = e^2/(e^2+3) = .7112 and q = .0963: (.4 - .0963) / .6150 = .4938.
    assert figure.estimates["dangerous"].share == pytest.approx(0.4938, abs=1e-3)
    assert sum(estimate.share for estimate in figure.estimates.values()) == pytest.approx(1)
    assert api.count("reports") == 0


def test_one_report_too_few_is_never_released_and_is_destroyed_on_the_day(api: Api) -> None:
    send_reports(api, ["normal"] * (REPORTS_BEFORE_RELEASE - 1))
    reader = api.enrolled(Purpose.STATISTICS)
    window = open_window(api.clock.now)
    api.clock.now = window.collected_until
    with transaction(api.engine) as connection:
        closed = release_due_windows(connection, api.clock.now)
    assert [(found.state.value, found.reports) for found in closed] == [("withheld", 49)]
    with pytest.raises(NotReleasedError, match="fewer than 50"):
        reader.figure("verdict", window)
    assert api.count("reports") == 0
    assert api.count("figures") == 0


def test_closing_early_is_no_way_around_the_threshold_and_happens_once(api: Api) -> None:
    send_reports(api, ["normal"] * 49)
    window = open_window(api.clock.now)
    with pytest.raises(ProblemError, match="49 of the 50"), transaction(api.engine) as connection:
        release_window(connection, window, api.clock.now, early=True)
    with pytest.raises(ProblemError, match="takes reports until"), transaction(api.engine) as connection:
        release_window(connection, window, api.clock.now)
    assert api.count("reports") == 49

    send_reports(api, ["normal"])
    with transaction(api.engine) as connection:
        assert release_window(connection, window, api.clock.now, early=True).reports == 50
    with pytest.raises(RefusedError, match="closed before"), transaction(api.engine) as connection:
        release_window(connection, window, api.clock.now, early=True)
    with pytest.raises(ReportRefusedError, match="closed"):
        api.enrolled(Purpose.STATISTICS).send_report(report(api))
    assert api.count("reports") == 0


def test_a_released_figure_stays_as_it_is_when_people_withdraw(api: Api) -> None:
    devices = [api.enrolled(Purpose.STATISTICS) for _ in range(50)]
    for device in devices:
        device.send_report(report(api, "suspicious"))
    with transaction(api.engine) as connection:
        release_window(connection, open_window(api.clock.now), api.clock.now, early=True)
    before = devices[0].figure("verdict")
    for device in devices[1:]:
        assert device.withdraw(Purpose.STATISTICS).reports_destroyed == 0
    assert devices[0].figure("verdict") == before


def test_withdrawing_before_the_release_takes_the_report_out(api: Api) -> None:
    device = api.enrolled(Purpose.STATISTICS)
    device.send_report(report(api))
    assert device.withdraw(Purpose.STATISTICS).reports_destroyed == 1
    assert api.count("reports") == 0
    with pytest.raises(ConsentRefusedError):
        device.send_report(report(api))


def test_figures_are_shown_only_to_people_who_consented(api: Api) -> None:
    assert api.connection.get("/v1/statistics/verdict").status_code == 401
    with pytest.raises(ConsentRefusedError):
        api.enrolled().figure("verdict")
    with pytest.raises(NotReleasedError):
        api.enrolled(Purpose.STATISTICS).figure("verdict")
    with pytest.raises(RefusedError, match="no such metric"):
        api.enrolled(Purpose.STATISTICS).figure("nothing")


def test_nothing_of_a_release_links_to_a_device(api: Api) -> None:
    send_reports(api, ["normal"] * 50)
    with transaction(api.engine) as connection:
        release_window(connection, open_window(api.clock.now), api.clock.now, early=True)
        ids = connection.execute(text("SELECT id FROM devices")).scalars().all()
        released = str(connection.execute(text("SELECT * FROM figures")).all())
        released += str(connection.execute(text("SELECT * FROM windows")).all())
    assert len(ids) == 50
    assert not any(device_id in released for device_id in ids)


def test_the_whole_way_recovers_the_true_shares(sqlite_api: Api) -> None:
    rng = random.Random(7)
    truth = ["none"] * 60 + ["normal"] * 120 + ["suspicious"] * 12 + ["dangerous"] * 8
    with transaction(sqlite_api.engine) as connection:
        for table in ("figures", "reports", "windows", "devices"):
            connection.execute(text(f"DELETE FROM {table}"))
    send_reports(sqlite_api, [randomise(value, VERDICT.values, VERDICT.epsilon, rng) for value in truth])
    with transaction(sqlite_api.engine) as connection:
        release_window(connection, open_window(sqlite_api.clock.now), sqlite_api.clock.now, early=True)
    figure = sqlite_api.enrolled(Purpose.STATISTICS).figure("verdict")
    for value, estimate in figure.estimates.items():
        assert estimate.low <= truth.count(value) / len(truth) <= estimate.high
