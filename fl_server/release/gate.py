"""The acceptance gate: what a model must show on the server's own acceptance set before it may be released."""

from __future__ import annotations

from dataclasses import dataclass

from fl_server.acceptance import AcceptanceScore
from models.errors import GateRefusedError

TOLERATED_F1_LOSS = 0.01
"""The acceptance set can't tell smaller differences apart."""

LARGEST_SCORE_DIFFERENCE = 0.01
"""Between FP32 and the released INT8, on calibrated scores."""

MOST_VERDICTS_CHANGED = 0.005
"""Share of the acceptance calls: those whose score lies within the rounding of a threshold."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the gate looks at.

    Attributes:
        acceptance: The candidate on the acceptance set.
        base: The detector that it would replace, on the same calls.
        score_difference: Largest difference between the FP32 and INT8 scores of a call.
        verdicts_changed: Share of the calls whose verdict differs between the two.
    """

    acceptance: AcceptanceScore
    base: AcceptanceScore
    score_difference: float
    verdicts_changed: float


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, what was measured and what is asked for, as people read it."""

    name: str
    measured: str
    required: str
    passed: bool


def judge_candidate(candidate: Candidate) -> tuple[Condition, ...]:
    """Return every condition and whether the candidate meets it."""
    new, old = candidate.acceptance, candidate.base
    lowest_f1 = old.f1 - TOLERATED_F1_LOSS
    highest_loss = old.loss + old.loss_error
    return (
        Condition("F1 on the acceptance set", f"{new.f1:.3f}", f"at least {lowest_f1:.3f}", new.f1 >= lowest_f1),
        Condition(
            "Cross-entropy on the acceptance set",
            f"{new.loss:.3f}",
            f"at most {highest_loss:.3f}",
            new.loss <= highest_loss,
        ),
        Condition(
            "INT8 score against FP32",
            f"{candidate.score_difference:.4f}",
            f"at most {LARGEST_SCORE_DIFFERENCE}",
            candidate.score_difference <= LARGEST_SCORE_DIFFERENCE,
        ),
        Condition(
            "Verdicts that INT8 changes",
            f"{candidate.verdicts_changed:.2%}",
            f"at most {MOST_VERDICTS_CHANGED:.1%}",
            candidate.verdicts_changed <= MOST_VERDICTS_CHANGED,
        ),
    )


def require_passed(conditions: tuple[Condition, ...]) -> None:
    """Refuse a model that fails a condition.

    Raises:
        GateRefusedError: With every condition that failed.
    """
    failed = [f"{c.name}: {c.measured}, {c.required}" for c in conditions if not c.passed]
    if failed:
        raise GateRefusedError("the model is not released: " + "; ".join(failed))
