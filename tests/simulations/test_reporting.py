"""Phones of a simulation report through the API, and the page learns what it released and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from fl_client.api_connection import open_connection
from fl_client.observation import CallObservation
from fl_server.registry import create_registry
from models.corpus.generator import generate_calls
from models.detector.export import export_detector
from models.detector.runtime import OnnxDetector
from models.domain.release import Verdict
from models.domain.statistic import METRICS
from simulations.reporting import PHONES_A_DEVICE, Phone, gather_phones, learn, report_calls
from simulations.service import ApiPlace, release_window, serving_api
from tests.models.detector.small import small_detector

pytestmark = pytest.mark.usefixtures("open_week")

WARNED = CallObservation(Verdict.DANGEROUS, score=0.95, seconds=200, warned=True)


@pytest.fixture
def place(tmp_path: Path) -> ApiPlace:
    create_registry(tmp_path / "registry")
    return ApiPlace(f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "registry", tmp_path / "keys", tmp_path / "log")


def test_phones_hold_calls_like_the_devices_and_repeat_with_the_seed(tmp_path: Path) -> None:
    export_detector(small_detector(), tmp_path)
    detector = OnnxDetector.load(tmp_path)
    dealt = [[], *([call] for call in generate_calls(12, seed=3))]
    phones = list(gather_phones(detector, dealt, seed=5))
    assert phones == list(gather_phones(detector, dealt, seed=5))
    assert len(phones) == PHONES_A_DEVICE * len(dealt)
    assert [phone.call for phone in phones[:PHONES_A_DEVICE]] == [None] * PHONES_A_DEVICE
    observed = [phone.call for phone in phones if phone.call is not None]
    assert len(observed) == 12 * PHONES_A_DEVICE
    # Of 36 half are labelled, standard deviation 3; 35 of 39 consent, standard deviation 1.9.
    assert 6 < sum(call.label is None for call in observed) < 30
    assert 26 < sum(phone.consents for phone in phones) < 39


def test_without_consents_or_without_fifty_answers_to_a_question_nothing_is_learned_of_it(place: ApiPlace) -> None:
    phones = [Phone(WARNED, consents=number % 4 != 0) for number in range(16)]
    done: list[bool] = []
    with serving_api(place) as address, open_connection(address.url, address.ca_file) as connection:
        reported = report_calls(connection, phones, 3, lambda: done.append(True))
        assert reported is not None
        assert (len(reported.reports), reported.refused, len(done)) == (12, 4, 16)
        assert not reported.can_be_released
        told = learn(reported)
        assert report_calls(connection, [Phone(None, consents=False)] * 2, 3, lambda: None) is None
    assert [outcome.metric for outcome in told] == list(METRICS.values())
    assert sum(outcome.reports for outcome in told) == 12
    assert all(outcome.estimates is None and outcome.refused == 4 for outcome in told)
    assert told[0].true_shares == {"none": 0, "normal": 0, "suspicious": 0, "dangerous": 1}


def test_what_is_released_is_what_the_page_is_given(place: ApiPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    # One question only, so that few phones are enough: the text before this one names the verdict alone.
    monkeypatch.setattr("fl_client.statistics.metrics_agreed_to", lambda _: (METRICS["verdict"],))
    with serving_api(place) as address, open_connection(address.url, address.ca_file) as connection:
        reported = report_calls(connection, [Phone(WARNED, consents=True)] * 52, 3, lambda: None)
        assert reported is not None
        assert reported.can_be_released
        release_window(place)
        verdict, *others = learn(reported)
    assert verdict.estimates is not None
    assert verdict.estimates["dangerous"].low <= 1
    # 71 % of 52 answers are the truth: 37, standard deviation 3.3
    assert 0.45 < verdict.received_shares["dangerous"] < 0.95
    assert all(outcome.estimates is None for outcome in others)
