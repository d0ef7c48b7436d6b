from __future__ import annotations

import random
import secrets
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import insert, text

from api.consents.texts import TEXTS
from api.database import transaction
from api.problems import ProblemError
from api.statistics import repository
from api.statistics.service import accept_report, release_due_windows, release_window
from api.tables import devices
from api.upkeep import run_upkeep
from fl_client.api_client import ApiClient
from fl_client.api_connection import NotReleasedError, ReportRefusedError
from fl_client.report_book import Report
from models.domain.consent import Purpose
from models.domain.statistic import (
    METRICS,
    REPORTS_BEFORE_RELEASE,
    SCAM_TYPE,
    SCORE,
    VERDICT,
    Metric,
    metrics_agreed_to,
)
from models.domain.window import Window, open_window
from models.errors import ConsentRefusedError, RefusedError
from models.privacy.local_randomiser import LocalRandomiser
from tests.api.conftest import Api
from tests.api.people import operator, problem, sign_up


def report(api: Api, value: str = "none", window: Window | None = None, metric: Metric = VERDICT) -> Report:
    return Report(window or open_window(api.clock.now), metric.name, (value,), metric.epsilon)


def send_reports(api: Api, values: list[str], metric: Metric = VERDICT) -> None:
    for value in values:
        api.enrolled(Purpose.STATISTICS).send_report(report(api, value, metric=metric))


def store_reports(api: Api, values: list[str], metric: Metric = VERDICT) -> None:
    """As `send_reports`, without a request for each device."""
    window = open_window(api.clock.now)
    with transaction(api.engine) as connection:
        for value in values:
            device_id = secrets.token_hex(16)
            connection.execute(insert(devices).values(id=device_id, sealed_secret=b"", encryption_key=""))
            told = repository.Report(window, metric.name, (value,))
            accept_report(connection, device_id, told, metric.asked_since, api.clock.now)


def agree_to_older_text(api: Api, device: ApiClient) -> None:
    """Make a consent to the text before this one, as if it had been given while that was in force."""
    with transaction(api.engine) as connection:
        statement = "UPDATE consents SET text_version = '2026-11' WHERE purpose = 'statistics' AND device_id = :device"
        connection.execute(text(statement), {"device": device._signature._device_id})


def close_early(api: Api) -> None:
    with transaction(api.engine) as connection:
        release_window(connection, open_window(api.clock.now), api.clock.now, early=True)


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


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_value_of_every_metric_is_taken_and_no_other(sqlite_api: Api, metric: Metric) -> None:
    api = sqlite_api
    for value in metric.values:
        api.enrolled(Purpose.STATISTICS).send_report(report(api, value, metric=metric))
    other = VERDICT if metric is SCORE else SCORE
    with pytest.raises(RefusedError, match="openapi"):
        api.enrolled(Purpose.STATISTICS).send_report(report(api, other.values[-1], metric=metric))


@pytest.mark.parametrize(
    "body",
    [
        {"window": "2026-W46", "metric": "verdict", "answer": ["안녕하세요 검찰청입니다"]},
        {"window": "2026-W46", "metric": "검찰", "answer": ["none"]},
        {"window": "2026-W46", "metric": "verdict", "answer": ["none"], "note": "text"},
        {"window": "2026-W46", "metric": "verdict", "answer": ["none"], "transcript": "text"},
        {"window": "2026-W46", "metric": "verdict", "answer": []},
        {"window": "2026-W46", "metric": "verdict", "answer": ["none", "normal"]},
        {"window": "2026-W46", "metric": "verdict", "answer": ["none"] * 1000},
        {"window": "2026-W46", "metric": "verdict", "answer": "none"},
        {"window": "2026-W46", "metric": "score", "answer": ["normal"]},
        {"window": "2026-W46", "metric": "verdict"},
        {"window": "2026-W46", "answer": ["none"]},
        {"window": "2026-W46", "metric": ["verdict"], "answer": ["none"]},
        {"window": "2026-W99", "metric": "verdict", "answer": ["none"]},
        {"window": "text", "metric": "verdict", "answer": ["none"]},
        {"window": 46, "metric": "verdict", "answer": [["none"]]},
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
    assert (figure.metric, figure.window, figure.reports, figure.epsilon) == ("verdict", window.name, 50, 2.0)
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
    with (
        pytest.raises(ProblemError, match="50 answers that it needs: 49 at most"),
        transaction(api.engine) as connection,
    ):
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


def test_a_window_that_was_closed_early_is_open_no_longer(api: Api) -> None:
    store_reports(api, ["normal"] * 50)
    guard, window = operator(api), open_window(api.clock.now).name
    seen = guard.request("GET", "/v1/operator/statistics/windows").json()
    assert (seen["open"], seen["released"]) == (window, [])
    close_early(api)
    seen = guard.request("GET", "/v1/operator/statistics/windows").json()
    assert (seen["open"], seen["released"]) == (None, [window])


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


def test_a_question_with_too_few_answers_gets_no_figure_though_its_window_is_released(api: Api) -> None:
    store_reports(api, ["normal"] * 50)
    store_reports(api, ["agency"] * 49, SCAM_TYPE)
    close_early(api)
    reader, window = api.enrolled(Purpose.STATISTICS), open_window(api.clock.now)
    assert reader.figure("verdict").reports == 50
    for asked in (window, None):
        with pytest.raises(NotReleasedError, match="fewer than 50 answers" if asked else "no window"):
            reader.figure("scam_type", asked)
    with transaction(api.engine) as connection:
        assert [figure.metric for metric in METRICS for figure in repository.figures_of(connection, metric)] == [
            "verdict"
        ]
        assert connection.execute(text("SELECT reports FROM windows")).scalar_one() == 99
    assert api.count("reports") == 0


def test_reports_on_many_questions_are_no_way_around_the_threshold(api: Api) -> None:
    store_reports(api, ["normal"] * 30)
    store_reports(api, ["agency"] * 30, SCAM_TYPE)
    with pytest.raises(ProblemError, match="30 at most"):
        close_early(api)
    api.clock.now = open_window(api.clock.now).collected_until
    run_upkeep(api.app.state.context)
    assert (api.count("figures"), api.count("reports")) == (0, 0)


def test_the_newest_figure_of_a_question_may_be_of_an_older_window_than_that_of_another(api: Api) -> None:
    store_reports(api, ["agency"] * 50, SCAM_TYPE)
    first = open_window(api.clock.now)
    close_early(api)
    api.clock.now += timedelta(weeks=1)
    store_reports(api, ["normal"] * 50)
    close_early(api)
    reader = api.enrolled(Purpose.STATISTICS)
    assert reader.figure("verdict").window == open_window(api.clock.now).name
    assert reader.figure("scam_type").window == first.name


def test_who_agreed_to_the_older_text_reports_what_it_names_and_nothing_else(api: Api) -> None:
    device = api.enrolled(Purpose.STATISTICS)
    agree_to_older_text(api, device)
    with pytest.raises(ConsentRefusedError, match="doesn't name scam_type"):
        device.send_report(report(api, "agency", metric=SCAM_TYPE))
    assert api.count("reports") == 0
    device.send_report(report(api, "normal"))
    assert api.count("reports") == 1

    again = next(found for found in device.consent_texts() if (found.purpose, found.language) == ("statistics", "ko"))
    device.give_consent(again)
    api.clock.now += timedelta(weeks=1)
    device.send_report(report(api, "agency", metric=SCAM_TYPE))
    assert api.count("reports") == 2


def test_the_text_in_force_names_every_question(sqlite_api: Api) -> None:
    [version] = {found.version for found in TEXTS if found.purpose is Purpose.STATISTICS}
    assert set(metrics_agreed_to(version)) == set(METRICS.values())
    for language, words in QUESTIONS_NAMED.items():
        shown = next(found for found in TEXTS if (found.purpose, found.language) == (Purpose.STATISTICS, language))
        assert set(words) == set(METRICS)
        assert all(word in shown.items for word in words.values())


QUESTIONS_NAMED = {
    "ko": {
        "verdict": "판정",
        "scam_type": "사기 유형",
        "score": "점수 구간",
        "call_length": "통화 길이",
        "release": "모델이 최신",
        "override": "보이스피싱 아님",
        "unknown_words": "모르는 단어",
    },
    "en": {
        "verdict": "the verdict",
        "scam_type": "type of scam",
        "score": "stretch of scores",
        "call_length": "how long the call was",
        "release": "the newest",
        "override": "보이스피싱 아님",
        "unknown_words": "words the detector doesn't know",
    },
}


def test_operators_read_what_people_read_and_no_more(api: Api) -> None:
    store_reports(api, ["normal"] * 50)
    close_early(api)
    window, boss = open_window(api.clock.now).name, operator(api)
    for path in (f"verdict?window={window}", "verdict", "windows"):
        signed = api.connection.get(f"/v1/statistics/{path}", auth=api.enrolled(Purpose.STATISTICS)._signature)
        assert boss.request("GET", f"/v1/operator/statistics/{path}").json() == signed.json()
    assert problem(boss.request("GET", "/v1/operator/statistics/score")) == (404, "figure-not-released")
    assert problem(sign_up(api).request("GET", "/v1/operator/statistics/verdict")) == (403, "operators-only")


def test_a_released_figure_is_enough_to_simulate_windows_of_no_change(sqlite_api: Api) -> None:
    with transaction(sqlite_api.engine) as connection:
        for table in ("figures", "reports", "windows", "devices"):
            connection.execute(text(f"DELETE FROM {table}"))
    store_reports(sqlite_api, ["normal"] * 40 + ["dangerous"] * 20)
    close_early(sqlite_api)
    with transaction(sqlite_api.engine) as connection:
        [figure] = repository.figures_of(connection, "verdict")
    assert tuple(figure.counts) == VERDICT.values
    shares = [estimate.share for estimate in figure.estimates.values()]
    errors = [estimate.standard_error for estimate in figure.estimates.values()]
    assert np.sqrt(np.diag(figure.randomiser.covariance(shares, figure.reports))) == pytest.approx(errors, abs=1e-6)


def test_the_whole_way_recovers_the_true_shares(sqlite_api: Api) -> None:
    rng = random.Random(7)
    truth = ["none"] * 60 + ["normal"] * 120 + ["suspicious"] * 12 + ["dangerous"] * 8
    with transaction(sqlite_api.engine) as connection:
        for table in ("figures", "reports", "windows", "devices"):
            connection.execute(text(f"DELETE FROM {table}"))
    randomiser = LocalRandomiser(VERDICT.values, VERDICT.epsilon)
    store_reports(sqlite_api, [randomiser.randomise(value, rng)[0] for value in truth])
    with transaction(sqlite_api.engine) as connection:
        release_window(connection, open_window(sqlite_api.clock.now), sqlite_api.clock.now, early=True)
    figure = sqlite_api.enrolled(Purpose.STATISTICS).figure("verdict")
    for value, estimate in figure.estimates.items():
        assert estimate.low <= truth.count(value) / len(truth) <= estimate.high
