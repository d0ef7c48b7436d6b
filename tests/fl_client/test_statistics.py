from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fl_client.statistics import EPSILON_A_YEAR, ReportBook, make_report
from models.domain.consent import Purpose
from models.domain.release import Verdict
from models.domain.statistic import VERDICT
from models.domain.window import Window, open_window
from models.errors import BadInputError, BudgetSpentError, ConsentRefusedError

WINDOW = Window.parse("2026-W46")
CONSENTED = frozenset({Purpose.STATISTICS})


@pytest.fixture
def book(tmp_path: Path) -> ReportBook:
    return ReportBook(tmp_path / "device" / "reports.json")


def test_a_report_is_drawn_once_and_a_retry_sends_the_same_bytes(tmp_path: Path) -> None:
    for seed in range(20):
        path = tmp_path / f"{seed}.json"
        verdicts = [Verdict.NORMAL] * 3 + [Verdict.DANGEROUS]
        first = make_report(WINDOW, verdicts, CONSENTED, ReportBook(path), random.Random(seed))
        again = make_report(WINDOW, [Verdict.SUSPICIOUS], CONSENTED, ReportBook(path), random.Random(seed + 1))
        assert again.body == first.body


def test_without_consent_nothing_is_drawn_and_nothing_is_written(tmp_path: Path) -> None:
    for consents in (frozenset[Purpose](), frozenset({Purpose.DETECTION, Purpose.TRAINING})):
        with pytest.raises(ConsentRefusedError, match="statistics"):
            make_report(WINDOW, [Verdict.NORMAL], consents, ReportBook(tmp_path / "reports.json"))
    assert list(tmp_path.iterdir()) == []


def test_a_week_without_calls_reports_none_mostly_and_everything_sometimes(tmp_path: Path) -> None:
    answers = Counter(
        make_report(WINDOW, [], CONSENTED, ReportBook(tmp_path / str(seed)), random.Random(seed)).answers["verdict"]
        for seed in range(200)
    )
    assert set(answers) == set(VERDICT.values)
    # At epsilon 2, 71 % are the truth: 142 of 200, standard deviation 6.4.
    assert 120 < answers["none"] < 164


def test_every_call_of_the_week_is_as_likely_to_be_drawn(tmp_path: Path) -> None:
    verdicts = [Verdict.NORMAL] * 3 + [Verdict.DANGEROUS]
    answers = Counter(
        make_report(WINDOW, verdicts, CONSENTED, ReportBook(tmp_path / str(seed)), random.Random(seed)).answers[
            "verdict"
        ]
        for seed in range(400)
    )
    # normal: .75 * .7112 + .25 * .0963 = .5575, so 223 of 400, standard deviation 10.
    assert 183 < answers["normal"] < 263
    # dangerous: .25 * .7112 + .75 * .0963 = .2500, so 100 of 400, standard deviation 9.
    assert 65 < answers["dangerous"] < 135


def test_what_is_written_down_is_the_randomised_answer_only(tmp_path: Path) -> None:
    lies = 0
    for seed in range(20):
        path = tmp_path / str(seed) / "reports.json"
        report = make_report(WINDOW, [Verdict.DANGEROUS] * 5, CONSENTED, ReportBook(path), random.Random(seed))
        assert path.stat().st_mode & 0o077 == 0
        if report.answers["verdict"] != "dangerous":
            lies += 1
            assert "dangerous" not in path.read_text()
    assert lies > 0


def test_the_years_budget_is_spent_by_half_a_year_of_reports_and_comes_back(book: ReportBook) -> None:
    assert EPSILON_A_YEAR / VERDICT.epsilon == 26
    for weeks in range(26):
        make_report(Window(WINDOW.monday + timedelta(weeks=weeks)), [], CONSENTED, book)
    with pytest.raises(BudgetSpentError, match="52"):
        make_report(Window(WINDOW.monday + timedelta(weeks=26)), [], CONSENTED, book)
    assert make_report(Window(WINDOW.monday + timedelta(weeks=52)), [], CONSENTED, book).epsilon == 2.0


@pytest.mark.parametrize(
    "content", [b"", b"[", b"[{}]", b'[{"window": "x", "answers": {}, "epsilon": 1}]', b"\xff", b"5"]
)
def test_a_damaged_book_never_leads_to_a_second_draw(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "reports.json"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="damaged"):
        make_report(WINDOW, [], CONSENTED, ReportBook(path))


def test_a_draft_that_a_crash_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "reports.json.new").write_bytes(b"half a rep")
    assert make_report(WINDOW, [], CONSENTED, ReportBook(tmp_path / "reports.json")).window == WINDOW


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
