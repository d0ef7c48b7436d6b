"""Optimised unary encoding: local differential privacy for one value of a larger closed domain.

The answer is a set of values: the true one is in it with probability 1/2, every other one with 1 / (e^epsilon + 1),
each by itself. How well shares are estimated doesn't depend on the domain's size.

Source: Wang, Blocki, Li, Jha, "Locally Differentially Private Protocols for Frequency Estimation" (USENIX Security
2017), section 4.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from random import Random

from models.privacy.exact_coin import happens_exp_minus


def answer_in_bits(value: str, values: Sequence[str], epsilon: float, rng: Random) -> tuple[str, ...]:
    """Return the values in the answer, in the domain's order. The probabilities are exact.

    Args:
        value: The truth, one of ``values``. Sensitive: it dies here.
        values: The closed domain.
        epsilon: Local differential privacy of the answer.
        rng: Where chance comes from.
    """
    exact_epsilon = Fraction(epsilon)
    return tuple(
        other for other in values if (rng.randrange(2) == 1 if other == value else _is_added(exact_epsilon, rng))
    )


def unary_odds(epsilon: float) -> tuple[float, float]:
    """Return the probabilities that the true value, and that a given other one, is in an answer."""
    return 0.5, 1.0 / (math.exp(epsilon) + 1.0)


def _is_added(epsilon: Fraction, rng: Random) -> bool:
    """Return true with probability 1 / (e^epsilon + 1): of "no" and "yes", drawn alike, "yes" stays with e^-epsilon."""
    while True:
        if rng.randrange(2) == 0:
            return False
        if happens_exp_minus(epsilon, rng):
            return True
