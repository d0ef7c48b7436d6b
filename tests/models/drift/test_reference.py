from __future__ import annotations

import numpy as np
import pytest

from models.domain.statistic import METRICS
from models.drift.histogram import IN_CLEAR
from models.drift.reference import figure_histogram, profile_histogram
from models.errors import BadInputError
from models.privacy.local_randomiser import LocalRandomiser

COUNTS = {
    "normal": {"normal": 570, "suspicious": 24, "dangerous": 6},
    "vishing": {"normal": 30, "suspicious": 90, "dangerous": 180},
}


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_figure_is_estimated_as_its_own_mechanism_does(metric) -> None:
    randomiser = LocalRandomiser(metric.values, metric.epsilon)
    shares = np.full(len(metric.values), 1 / len(metric.values))
    drawn = randomiser.draw_counts(shares, 1000, np.random.default_rng(3))
    counts = dict(zip(metric.values, drawn.tolist(), strict=True))
    estimated = figure_histogram(counts, 1000, metric.epsilon).estimate()
    assert estimated == pytest.approx([estimate.share for estimate in randomiser.estimate(counts, 1000).values()])


@pytest.mark.parametrize(("reports", "epsilon"), [(0, 2.0), (7, 0.0), (7, 99.0)])
def test_a_figure_of_nobody_or_of_no_mechanism_is_refused(reports: int, epsilon: float) -> None:
    with pytest.raises(BadInputError):
        figure_histogram({"none": 3, "normal": 4}, reports, epsilon)


def test_a_profile_is_mixed_as_calls_come_not_as_the_acceptance_set_is() -> None:
    mixed = profile_histogram(COUNTS, prevalence=0.1)
    # .9 x .95 + .1 x .1, .9 x .04 + .1 x .3, .9 x .01 + .1 x .6
    assert mixed.estimate() == pytest.approx([0.865, 0.066, 0.069])
    assert mixed.reports == round(1 / (0.81 / 600 + 0.01 / 300))
    assert mixed.channel == IN_CLEAR


def test_a_profile_without_calls_of_a_label_is_no_reference() -> None:
    with pytest.raises(BadInputError):
        profile_histogram({**COUNTS, "vishing": {"normal": 0, "suspicious": 0, "dangerous": 0}})
