from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from fl_client.observation import CallObservation
from fl_client.report_book import Report, ReportBook, turn_of
from fl_client.statistics import EPSILON_A_YEAR, OtherTurnError, make_report
from models.domain.release import Verdict
from models.domain.statistic import METRICS, VERDICT, WINDOW_EPSILON
from models.domain.window import Window, open_window
from models.errors import BadInputError, BudgetSpentError, ConsentRefusedError

WINDOW = Window.parse("2026-W46")
ONLY_VERDICT, ALL = "2026-11", "2026-12"
"""Versions of the consent text: the older one names the verdict and nothing else."""

NORMAL = CallObservation(Verdict.NORMAL, score=0.02, seconds=50, warned=False)
DANGEROUS = CallObservation(Verdict.DANGEROUS, score=0.98, seconds=300, warned=True)


def weeks_later(weeks: int) -> Window:
    return Window(WINDOW.monday + timedelta(weeks=weeks))


def make(path: Path, calls: Sequence[CallObservation], seed: int, version: str = ALL) -> Report:
    return make_report(WINDOW, calls, version, ReportBook(path, turn_of(WINDOW)), random.Random(seed))


def test_a_report_is_drawn_once_and_a_retry_sends_the_same_bytes(tmp_path: Path) -> None:
    for seed in range(20):
        path = tmp_path / f"{seed}.json"
        first = make(path, [NORMAL] * 3 + [DANGEROUS], seed)
        again = make(path, [replace(NORMAL, verdict=Verdict.SUSPICIOUS)], seed + 1)
        assert again.body == first.body


def test_without_consent_nothing_is_drawn_and_nothing_is_written(tmp_path: Path) -> None:
    for version in (None, "2020-01"):
        with pytest.raises(ConsentRefusedError, match="statistics"):
            make_report(WINDOW, [NORMAL], version, ReportBook(tmp_path / "reports.json"))
    assert list(tmp_path.iterdir()) == []


def test_every_question_is_as_likely_to_be_drawn_whatever_the_calls_were(tmp_path: Path) -> None:
    for number, calls in enumerate(([], [NORMAL], [DANGEROUS] * 3)):
        drawn = Counter(make(tmp_path / f"{number}-{seed}", calls, seed).metric for seed in range(210))
        assert set(drawn) == set(METRICS)
        # 30 of 210 each, standard deviation 5.1
        assert all(5 < count < 55 for count in drawn.values())


def test_the_draw_of_the_question_is_the_same_for_all_calls(tmp_path: Path) -> None:
    for seed in range(30):
        drawn = {
            make(tmp_path / f"{seed}-{len(calls)}", calls, seed).metric for calls in ([], [NORMAL], [DANGEROUS] * 2)
        }
        assert len(drawn) == 1


def test_who_agreed_to_the_older_text_is_asked_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    assert {make(tmp_path / str(seed), [DANGEROUS], seed, ONLY_VERDICT).metric for seed in range(40)} == {VERDICT.name}


def test_a_week_without_calls_reports_none_mostly_and_everything_sometimes(tmp_path: Path) -> None:
    answers = Counter(make(tmp_path / str(seed), [], seed, ONLY_VERDICT).answer[0] for seed in range(200))
    assert set(answers) == set(VERDICT.values)
    # At epsilon 2, 71 % are the truth: 142 of 200, standard deviation 6.4.
    assert 120 < answers["none"] < 164


def test_every_call_of_the_week_is_as_likely_to_be_drawn(tmp_path: Path) -> None:
    calls = [NORMAL] * 3 + [DANGEROUS]
    answers = Counter(make(tmp_path / str(seed), calls, seed, ONLY_VERDICT).answer[0] for seed in range(400))
    # normal: .75 * .7112 + .25 * .0963 = .5575, so 223 of 400, standard deviation 10.
    assert 183 < answers["normal"] < 263
    # dangerous: .25 * .7112 + .75 * .0963 = .2500, so 100 of 400, standard deviation 9.
    assert 65 < answers["dangerous"] < 135


def test_what_is_written_down_is_the_randomised_answer_only(tmp_path: Path) -> None:
    lies = 0
    for seed in range(20):
        path = tmp_path / str(seed) / "reports.json"
        report = make(path, [DANGEROUS] * 5, seed, ONLY_VERDICT)
        assert path.stat().st_mode & 0o077 == 0
        if report.answer != ("dangerous",):
            lies += 1
            assert "dangerous" not in path.read_text()
    assert lies > 0


def test_a_device_reports_on_every_second_week_and_its_budget_lasts_the_year(tmp_path: Path) -> None:
    book = ReportBook(tmp_path / "reports.json")
    reported = []
    for weeks in range(104):
        try:
            make_report(weeks_later(weeks), [], ALL, book)
        except OtherTurnError:
            continue
        reported.append(weeks)
    assert reported in (list(range(0, 104, 2)), list(range(1, 104, 2)))
    assert book.spent(weeks_later(103)) == EPSILON_A_YEAR == 26 * WINDOW_EPSILON


def test_the_turn_is_drawn_for_each_device_and_stays(tmp_path: Path) -> None:
    books = [ReportBook(tmp_path / str(number)) for number in range(64)]
    turns = [book.is_turn(WINDOW) for book in books]
    assert {True, False} == set(turns)
    assert [ReportBook(tmp_path / str(number)).is_turn(WINDOW) for number in range(64)] == turns
    assert [book.is_turn(weeks_later(1)) for book in books] == [not turn for turn in turns]


def test_no_week_of_any_year_is_left_out_by_the_turns() -> None:
    turns = [turn_of(weeks_later(weeks)) for weeks in range(400)]
    assert all(turn != following for turn, following in pairwise(turns))


def test_a_budget_that_is_spent_stops_reports_even_where_turns_would_not(tmp_path: Path) -> None:
    book = ReportBook(tmp_path / "reports.json", turn_of(WINDOW))
    assert book.is_turn(WINDOW)
    for weeks in range(25, -1, -1):
        book.remember(Report(weeks_later(-weeks), VERDICT.name, ("none",), WINDOW_EPSILON))
    with pytest.raises(BudgetSpentError, match="52"):
        make_report(weeks_later(2), [], ALL, book)
    assert make_report(weeks_later(52), [], ALL, book).epsilon == WINDOW_EPSILON


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b"[{}]",
        b'{"turn": 2, "reports": []}',
        b'{"turn": 0, "reports": [{}]}',
        b'{"turn": 0, "reports": [{"window": "x", "metric": "verdict", "answer": [], "epsilon": 1}]}',
        b"\xff",
        b"5",
    ],
)
def test_a_damaged_book_never_leads_to_a_second_draw(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "reports.json"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="damaged"):
        make_report(WINDOW, [], ALL, ReportBook(path))


def test_a_draft_that_a_crash_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "reports.json.new").write_bytes(b"half a rep")
    assert make(tmp_path / "reports.json", [], 1).window == WINDOW


def test_windows_are_korean_weeks_and_only_finished_ones_are_open() -> None:
    # Sunday 15:00 in UTC is midnight in Korea, where Monday starts.
    last_moment = datetime(2026, 11, 15, 14, 59, 59, tzinfo=UTC)
    assert open_window(last_moment).name == "2026-W45"
    assert open_window(last_moment + timedelta(seconds=1)).name == "2026-W46"
    assert Window.parse("2026-W46").collected_until == datetime(2026, 11, 22, 15, tzinfo=UTC)
    assert Window.parse("2020-W53").monday.isoformat() == "2020-12-28"
    for name in ("2026-W54", "2021-W53", "2026-46", "2026-W4", "2026-W００", "", "2026-W46\n"):
        with pytest.raises(BadInputError):
            Window.parse(name)


def test_a_process_that_reports_never_loads_torch() -> None:
    script = (
        "import sys, fl_client.api_client, fl_client.statistics; print({'torch','opacus','flwr'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "set()"
