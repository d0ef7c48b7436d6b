"""Making a release's profile from what the server knows: its acceptance set, the model and the one before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_server.acceptance import AcceptanceScore
from models.domain.call import Label
from models.domain.profile import NOT_OF_A_CALL, CountsByLabel, ModelChange, ReleaseProfile
from models.domain.release import Thresholds, Verdict
from models.domain.statistic import SCORE, SCORES, UNKNOWN_WORD_SHARE, UNKNOWN_WORDS, VERDICT, Metric
from models.drift.model import compare_scores, compare_weights
from models.privacy.vectors import Arrays


@dataclass(frozen=True, slots=True)
class JudgedModel:
    """A model and what it says of the N acceptance calls.

    Attributes:
        parameters: Trained weights.
        scores: Calibrated, (N,).
        thresholds: From which its verdicts begin.
    """

    parameters: Arrays
    scores: NDArray[np.float64]
    thresholds: Thresholds

    @property
    def verdicts(self) -> NDArray[np.intp]:
        """How grave each verdict is, 0 to 2, (N,)."""
        levels = np.array([self.thresholds.suspicious, self.thresholds.dangerous])
        return np.searchsorted(levels, self.scores, "right")


@dataclass(frozen=True, slots=True)
class Judged:
    """The N acceptance calls as one model judges them.

    Attributes:
        model: The model.
        labels: Of the calls, (N,).
        acceptance: How good it is on them.
        unknown_words: Share of each call's words that the release doesn't know, (N,); ``None`` where it can't tell.
    """

    model: JudgedModel
    labels: Sequence[Label]
    acceptance: AcceptanceScore
    unknown_words: Sequence[float] | None = None

    @property
    def answers(self) -> dict[Metric, list[str]]:
        """What devices would answer of each call to the questions that follow from the model."""
        told = {
            VERDICT: [list(Verdict)[grave].value for grave in self.model.verdicts],
            SCORE: [SCORES.name_of(float(score)) for score in self.model.scores],
        }
        if self.unknown_words is not None:
            told[UNKNOWN_WORD_SHARE] = [UNKNOWN_WORDS.name_of(share) for share in self.unknown_words]
        return told


def make_profile(
    version: int, released_at: int, round_number: int, judged: Judged, change: ModelChange | None
) -> ReleaseProfile:
    """Return a release's profile.

    Args:
        version: The release's.
        released_at: Seconds since 1970.
        round_number: The round whose model it is.
        judged: The acceptance calls as devices would judge them.
        change: From the model before, where it is known.
    """
    return ReleaseProfile(
        version=version,
        released_at=released_at,
        round_number=round_number,
        calls=len(judged.labels),
        f1=judged.acceptance.f1,
        false_alarms_per_1000=judged.acceptance.false_alarms_per_1000,
        loss=judged.acceptance.loss,
        loss_error=judged.acceptance.loss_error,
        histograms={metric.name: _count(told, judged.labels, metric) for metric, told in judged.answers.items()},
        change=change,
    )


def describe_change(since: int, before: JudgedModel, after: JudgedModel) -> ModelChange:
    """Return how far a model lies from the one that it takes the place of.

    Raises:
        BadInputError: They are of other networks, or were shown other calls.
    """
    weights = compare_weights(before.parameters, after.parameters)
    scores = compare_scores(before.scores, after.scores, before.verdicts, after.verdicts)
    return ModelChange(
        since=since,
        distance=weights.distance,
        relative=weights.relative,
        cosine=weights.cosine,
        mean_score_difference=scores.mean_difference,
        largest_score_difference=scores.largest_difference,
        score_correlation=scores.correlation,
        verdicts_changed=scores.verdicts_changed,
    )


def _count(answers: Sequence[str], labels: Sequence[Label], metric: Metric) -> CountsByLabel:
    counts = Counter(zip(labels, answers, strict=True))
    values = [value for value in metric.values if value not in NOT_OF_A_CALL]
    return {label.name.lower(): {value: counts[label, value] for value in values} for label in Label}
