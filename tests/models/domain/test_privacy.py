"""How a privacy figure is told."""

from __future__ import annotations

import pytest

from models.domain.privacy import show_epsilon


@pytest.mark.parametrize(
    ("epsilon", "shown"),
    [
        (1234.5, "1,234.50"),
        (12.6012, "12.60"),
        (0.776, "0.78"),
        (0.1, "0.10"),
        (0.0999, "0.1"),
        (0.0049, "0.0049"),
        (0.0000123, "1.2e-05"),
        (0.0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_a_small_epsilon_keeps_two_digits_that_count(epsilon, shown):
    assert show_epsilon(epsilon) == shown
