from __future__ import annotations

import numpy as np
import pytest

from models.drift.histogram import IN_CLEAR, Channel, Histogram
from models.drift.ratio import estimate_ratio
from models.errors import BadInputError
from tests.models.drift.channels import observe, randomised_response, unary_encoding

VALUES = ("none", "kept", "overridden")


@pytest.mark.parametrize("channel", [randomised_response(3, 1.0), unary_encoding(1.0)], ids=["response", "unary"])
def test_intervals_hold_the_truth_as_often_as_they_say_and_those_of_a_wrong_channel_do_not(channel: Channel) -> None:
    held, wrongly_held = 0, 0
    wrong = Channel(channel.kept, channel.lied * 0.7, channel.exclusive)
    for world in range(600):
        rng = np.random.default_rng(world)
        seen = observe(VALUES, (0.3, 0.5, 0.2), 6000, channel, rng)
        ratio = estimate_ratio(seen, "overridden", "kept")
        held += ratio.low <= 0.2 / 0.7 <= ratio.high
        of_wrong = estimate_ratio(Histogram(seen.counts, seen.reports, wrong), "overridden", "kept")
        wrongly_held += of_wrong.low <= 0.2 / 0.7 <= of_wrong.high
    assert 550 <= held <= 590  # 570 of 600 are 95 %
    assert wrongly_held < 500


def test_in_clear_the_ratio_is_that_of_the_counts() -> None:
    ratio = estimate_ratio(Histogram({"none": 0, "kept": 75, "overridden": 25}, 100, IN_CLEAR), "overridden", "kept")
    assert ratio.value == pytest.approx(0.25)
    assert (ratio.low, ratio.high) == pytest.approx((0.165, 0.335), abs=0.01)  # .25 +- 1.96 sqrt(.25 .75 / 100)


def test_what_the_reports_cant_tell_is_not_told() -> None:
    nobody_warned = Histogram({"none": 60, "kept": 20, "overridden": 20}, 100, randomised_response(3, 1.0))
    ratio = estimate_ratio(nobody_warned, "overridden", "kept")
    assert (ratio.low, ratio.high) == (0, 1)
    fewer_than_none = Histogram({"none": 90, "kept": 5, "overridden": 5}, 100, randomised_response(3, 1.0))
    assert estimate_ratio(fewer_than_none, "overridden", "kept").value is None


def test_a_value_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInputError):
        estimate_ratio(Histogram({"a": 1, "b": 1}, 2, IN_CLEAR), "overridden", "a")
