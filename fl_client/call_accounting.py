"""What a device's DP-SGD steps come to, by Renyi DP, which is quick enough to ask before each training.

Its epsilon is never below that of the tighter PRV accountant which states a run's figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.domain.training import CallSteps, LocalTask


def composed_epsilon(trainings: Sequence[CallSteps], delta: float) -> float:
    """Return epsilon of one call after these trainings; add-or-remove neighbours, 0 without any step."""
    from models.privacy.call_accounting import history_of, renyi_epsilon  # Opacus: 100 MB that most rounds don't need

    return renyi_epsilon(history_of(trainings), delta)


def planned_steps(calls: int, task: LocalTask) -> CallSteps | None:
    """Return the steps that a training takes at most; ``None`` without calls or protection of calls.

    Opacus draws each call with one over the number of batches, and takes as many steps an epoch.
    """
    if task.call_privacy is None or not calls:
        return None
    batches = -(-calls // min(task.call_privacy.batch_calls, calls))
    return CallSteps(task.call_privacy.noise_multiplier, 1 / batches, task.epochs * batches)
