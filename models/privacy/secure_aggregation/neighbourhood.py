"""How many neighbours a device needs, and how many of them must be left: from the dropout that is expected.

A secret of a device can be rebuilt while at least ``threshold`` of its ``degree`` neighbours are left at the last
stage. With n devices that drop out independently with probability p, a round aborts with a probability of at most

    n * P(Binomial(degree, 1 - p) < threshold)        on a graph of neighbours, and, against an active server,
                                                      additionally P(Binomial(n, 1 - p) < signatures);
    P(Binomial(n, 1 - p) <= threshold)                where everybody is a neighbour: then that is the probability
                                                      itself, for where signatures are lacking shares are, too.

The degree is the smallest for which that is below ``MOST_ABORTED``, and for which colluding devices are no danger (Bell
et al. 2020, section 3): they don't hold enough shares of anybody, and don't cut the honest survivors into groups whose
sums would show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from models.domain.secure_aggregation import ThreatModel

MOST_ABORTED = 1e-4
"""Share of rounds that may end without a sum because too few devices were left."""

MOST_EXPOSED = 1e-9
"""Probability, for each round, that the graph gives colluding devices more than they may have."""

COLLUDING = 0.1
"""Share of the devices that may collude with the server. More than that, and no figure of ours holds."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The shape of the graph.

    Attributes:
        degree: Neighbours of each device, who hold its shares.
        threshold: Shares that give a secret back.
    """

    degree: int
    threshold: int


@lru_cache(maxsize=256)
def choose_neighbourhood(devices: int, dropout: float, threat_model: ThreatModel) -> Neighbourhood:
    """Return the smallest degree that aborts and exposes rarely enough, or everybody as neighbour where none does.

    Args:
        devices: In the roster, at least 2.
        dropout: Probability with which each of them is lost before the last stage, in [0, 1).
        threat_model: Against an active server the threshold is above two thirds of the degree, else above a half.
    """
    for degree in range(2, devices - 1, 2):
        shape = Neighbourhood(degree, _threshold(degree, threat_model))
        rare = abort_probability(devices, dropout, shape, threat_model) <= MOST_ABORTED
        if rare and _exposure(devices, dropout, shape, threat_model) <= MOST_EXPOSED:
            return shape
    return Neighbourhood(devices - 1, _threshold(devices - 1, threat_model))


def abort_probability(devices: int, dropout: float, shape: Neighbourhood, threat_model: ThreatModel) -> float:
    """Return a bound on the probability that a round ends without a sum; the formula stands at the module's top."""
    left = 1 - dropout
    if shape.degree == devices - 1:
        return binomial_tail(devices, left, shape.threshold)
    aborted = devices * binomial_tail(shape.degree, left, shape.threshold - 1)
    if threat_model is ThreatModel.ACTIVE:
        aborted += binomial_tail(devices, left, signatures_needed(devices) - 1)
    return min(aborted, 1.0)


def signatures_needed(devices: int) -> int:
    """Return how many must have signed the same survivors: two lists can't both have so many below 1/3 of traitors."""
    return 2 * devices // 3 + 1


def binomial_tail(trials: int, success: float, most: int) -> float:
    """Return the probability of at most so many successes."""
    if most < 0 or (success >= 1 and most < trials):
        return 0.0
    if most >= trials or success <= 0:
        return 1.0
    if most > success * trials:
        return 1.0 - binomial_tail(trials, 1 - success, trials - most - 1)
    odds, total = (1 - success) / success, 0.0
    term = math.exp(_log_choose(trials, most) + most * math.log(success) + (trials - most) * math.log1p(-success))
    for count in range(most, -1, -1):
        total += term
        term *= odds * count / (trials - count + 1)
        if term <= 1e-18 * total:
            break  # below the mean terms only fall, and one that is no number any more stays none
    return min(1.0, total)


def _threshold(degree: int, threat_model: ThreatModel) -> int:
    return 2 * degree // 3 + 1 if threat_model is ThreatModel.ACTIVE else degree // 2 + 1


def _exposure(devices: int, dropout: float, shape: Neighbourhood, threat_model: ThreatModel) -> float:
    """Bound the probability that traitors hold enough shares of somebody, or that the ring falls apart.

    An active server gets one share of each honest neighbour and both of each traitor's, so that
    2 * threshold - degree traitors suffice it. The ring falls apart where degree / 2 in a row are gone, at two places.
    An active server chooses who is gone; but whoever stands beside the gap then lacks half of its neighbours, and
    its seed can be rebuilt only with shares of traitors in the gap: threshold - degree / 2 of them, at both places.
    """
    traitors, half = math.ceil(COLLUDING * devices), shape.degree // 2
    if threat_model is ThreatModel.ACTIVE:
        enough = 2 * shape.threshold - shape.degree
        gap = _hypergeometric_tail(devices, traitors, half, shape.threshold - half)
    else:
        enough = shape.threshold
        gap = min(1.0, dropout + traitors / devices) ** half
    captured = devices * _hypergeometric_tail(devices - 1, traitors, shape.degree, enough)
    return captured + math.comb(devices, 2) * gap**2


def _hypergeometric_tail(total: int, marked: int, drawn: int, least: int) -> float:
    """Return the probability that at least so many of the drawn are marked."""
    counts = range(max(least, drawn - (total - marked)), min(marked, drawn) + 1)
    whole = _log_choose(total, drawn)
    return math.fsum(
        math.exp(_log_choose(marked, count) + _log_choose(total - marked, drawn - count) - whole) for count in counts
    )


def _log_choose(total: int, drawn: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(drawn + 1) - math.lgamma(total - drawn + 1)
