"""What DP-SGD on one device has spent, by Opacus's accountants, fast enough to ask for every device after every round.

Nearly all of their time goes into the Rényi divergence of one step, which depends on nothing but noise and sampling
rate: it is worked out once for each of those. The PRV accountant needs it only to choose how wide a grid to work on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opacus.accountants import PRVAccountant, RDPAccountant
from opacus.accountants.analysis.prv import Domain
from opacus.accountants.analysis.rdp import compute_rdp, get_privacy_spent

from models.domain.training import CallSteps

StepHistory = tuple[tuple[float, float, int], ...]
"""DP-SGD steps as Opacus keeps them: noise multiplier, sampling rate and how many, different ones each once."""

_ORDERS = RDPAccountant.DEFAULT_ALPHAS


def history_of(trainings: Iterable[CallSteps]) -> StepHistory:
    """Return trainings' steps as the accountants below take them, those of one kind added up."""
    totals: dict[tuple[float, float], int] = {}
    for taken in trainings:
        kind = (taken.noise_multiplier, taken.sampling_rate)
        totals[kind] = totals.get(kind, 0) + taken.steps
    return tuple((noise, rate, steps) for (noise, rate), steps in sorted(totals.items()) if steps)


@lru_cache(maxsize=4096)
def renyi_epsilon(history: StepHistory, delta: float) -> float:
    """Return epsilon by Rényi divergences: an upper bound, looser than `call_epsilon` and far sooner there.

    Sources: Mironov 2017; Mironov, Talwar and Zhang 2019 (subsampled Gaussian).
    """
    if not history:
        return 0.0
    divergences = np.sum([steps * _step_divergences(noise, rate) for noise, rate, steps in history], axis=0)
    with warnings.catch_warnings():
        # That the best order is the largest or smallest one makes the figure looser, never wrong.
        warnings.filterwarnings("ignore", "Optimal order is")
        return float(get_privacy_spent(orders=_ORDERS, rdp=divergences, delta=delta)[0])


@lru_cache(maxsize=256)
def call_epsilon(history: StepHistory, delta: float) -> float:
    """Return epsilon by privacy loss random variables (Gopi et al. 2021), as Opacus's PRV accountant does."""
    if not history:
        return 0.0
    accountant = _QuickPRVAccountant()
    accountant.history = list(history)
    # At the ends of its grid the accountant takes the logarithm of zero and then drops it.
    with np.errstate(divide="ignore"):
        return float(accountant.get_epsilon(delta))


class _QuickPRVAccountant(PRVAccountant):  # type: ignore[misc]
    """Opacus's PRV accountant, which finds the same grid (its remark 5.6) without working divergences out anew."""

    def _get_domain(
        self, prvs: Sequence[Any], num_self_compositions: Sequence[int], eps_error: float, delta_error: float
    ) -> Domain:
        total = sum(num_self_compositions)
        widths = [renyi_epsilon(((noise, rate, 1),), delta_error / (8 * total)) for noise, rate, _ in self.history]
        width = max(renyi_epsilon(tuple(self.history), delta_error / 4), eps_error, *widths) + 3
        return Domain.create_aligned(-width, width, eps_error / np.sqrt(total * np.log(12 / delta_error) / 2))


@lru_cache(maxsize=1024)
def _step_divergences(noise_multiplier: float, sampling_rate: float) -> NDArray[np.float64]:
    """Return the Rényi divergences of one step, shape (orders,)."""
    divergences: NDArray[np.float64] = compute_rdp(
        q=sampling_rate, noise_multiplier=noise_multiplier, steps=1, orders=_ORDERS
    )
    return divergences
