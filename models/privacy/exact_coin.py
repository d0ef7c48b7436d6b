"""Coins whose odds no rounding changes: probabilities with an exponential in them, decided in whole numbers.

Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), algorithm 1, after von
Neumann. For single draws; `models.privacy.discrete_gaussian` draws many at a time.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random


def happens_exp_minus(gamma: Fraction, rng: Random) -> bool:
    """Return true with probability exp(-gamma), exactly, for gamma from 0 on."""
    whole = int(gamma)
    return all(_happens_exp_minus_small(Fraction(1), rng) for _ in range(whole)) and _happens_exp_minus_small(
        gamma - whole, rng
    )


def _happens_exp_minus_small(gamma: Fraction, rng: Random) -> bool:
    """Return true with probability exp(-gamma) for gamma from 0 to 1: von Neumann's alternating series."""
    step = 1
    while rng.randrange(gamma.denominator * step) < gamma.numerator:
        step += 1
    return step % 2 == 1
