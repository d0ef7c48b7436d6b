"""Which round is released."""

from __future__ import annotations

import math

import pytest

from fl_server.acceptance import choose_round


@pytest.mark.parametrize(
    ("losses", "errors", "chosen"),
    [
        ([0.5], [0.1], 0),
        ([0.50, 0.30, 0.38, 0.45], [0.1] * 4, 2),
        ([0.50, 0.30, 0.45], [0.1] * 3, 1),
        ([0.30, 0.30, 0.30], [0.0] * 3, 2),
        ([0.30, math.nan], [0.1] * 2, 0),
        ([math.nan, 0.30, math.inf], [0.1] * 3, 1),
    ],
    ids=["only one", "latest within the error", "best alone", "equal", "diverged later", "diverged around"],
)
def test_the_latest_round_within_one_standard_error_of_the_lowest_loss_is_chosen(losses, errors, chosen):
    assert choose_round(losses, errors) == chosen
