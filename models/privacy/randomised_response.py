"""k-ary randomised response: local differential privacy for one value of a small closed domain.

Sources: Kairouz, Bonawitz, Ramage, "Discrete Distribution Estimation under Local Privacy" (2016); Wang et al., "Locally
Differentially Private Protocols for Frequency Estimation" (2017, there "direct encoding").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from random import Random

from models.privacy.exact_coin import happens_exp_minus


def answer_directly(value: str, values: Sequence[str], epsilon: float, rng: Random) -> str:
    """Return the value with probability e^epsilon / (e^epsilon + k - 1), else one of the k - 1 others, all alike.

    The probabilities are exact: candidates are drawn alike and a false one is kept with probability exp(-epsilon),
    which is sampled in integers, so no rounding weakens the guarantee.

    Args:
        value: The truth, one of ``values``. Sensitive: it dies here.
        values: The closed domain of k values.
        epsilon: Local differential privacy of the answer.
        rng: Where chance comes from.
    """
    exact_epsilon = Fraction(epsilon)
    while True:
        candidate = values[rng.randrange(len(values))]
        if candidate == value or happens_exp_minus(exact_epsilon, rng):
            return candidate


def direct_odds(size: int, epsilon: float) -> tuple[float, float]:
    """Return the probabilities that an answer out of ``size`` values is the truth, and that it is a given other."""
    truth = 1.0 / (1.0 + (size - 1) * math.exp(-epsilon))
    return truth, (1.0 - truth) / (size - 1)
