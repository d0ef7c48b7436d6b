"""What a device's DP-SGD steps come to: Renyi DP, which is quick enough to ask before each training.

Sources: Mironov 2017, Mironov, Talwar and Zhang 2019 (subsampled Gaussian); Opacus computes both. Renyi DP composes by
adding up, and its epsilon is never below that of the tighter PRV accountant which states a run's figures.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from opacus.accountants import RDPAccountant
from opacus.accountants.analysis.rdp import compute_rdp, get_privacy_spent

from models.domain.training import CallSteps, LocalTask

ORDERS: tuple[float, ...] = tuple(RDPAccountant.DEFAULT_ALPHAS)


def composed_epsilon(history: Sequence[CallSteps], delta: float) -> float:
    """Return epsilon of one call after these steps; add-or-remove neighbours, 0 without any step."""
    if not sum(steps.steps for steps in history):
        return 0.0
    rdp = np.sum([steps.steps * _step_rdp(steps.noise_multiplier, steps.sampling_rate) for steps in history], axis=0)
    with warnings.catch_warnings():
        # That the best order is the largest or smallest one makes the figure looser, never wrong.
        warnings.filterwarnings("ignore", "Optimal order is")
        epsilon, _ = get_privacy_spent(orders=ORDERS, rdp=rdp, delta=delta)
    return float(epsilon)


@lru_cache(maxsize=4096)
def _step_rdp(noise_multiplier: float, sampling_rate: float) -> NDArray[np.float64]:
    rdp: NDArray[np.float64] = np.asarray(
        compute_rdp(q=sampling_rate, noise_multiplier=noise_multiplier, steps=1, orders=ORDERS)
    )
    return rdp


def planned_steps(calls: int, task: LocalTask) -> CallSteps | None:
    """Return the steps that a training takes at most; ``None`` without calls or protection of calls.

    Opacus draws each call with one over the number of batches, and takes as many steps an epoch.
    """
    if task.call_privacy is None or not calls:
        return None
    batches = -(-calls // min(task.call_privacy.batch_calls, calls))
    return CallSteps(task.call_privacy.noise_multiplier, 1 / batches, task.epochs * batches)
