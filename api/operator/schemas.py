"""What is said to operators over HTTP about rounds, drift and the model."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.moments import moment
from api.operator.repository import DriftOfFigure
from api.releases.repository import PublishedRelease
from api.statistics.schemas import WindowName
from models.domain.profile import ReleaseProfile
from models.domain.round import RoundReport
from models.drift.alarm import ALARM_LEVEL
from models.drift.ratio import Ratio

_ROUND: JsonDict = {
    "number": 31,
    "asked": 40,
    "fates": {"folded": 36, "no_reply": 4},
    "epsilon": 0.61,
    "acceptance_f1": 0.84,
    "acceptance_loss": 0.31,
    "acceptance_loss_error": 0.02,
    "seconds": 4.1,
    "clip_norm": 1.5,
    "simulated": False,
    "sent_again": 0,
    "aborted": None,
    "clipped_share": 0.42,
    "wrong_shares": 0,
}
_DRIFT: JsonDict = {
    "window": "2026-W46",
    "metric": "score",
    "against": "release",
    "reference": "3",
    "reports": 1200,
    "effective_reports": 310.5,
    "p": 0.0006,
    "alarm": True,
    "statistics": {"population_stability_index": {"value": 0.31, "threshold": 0.12, "p": 0.0004}},
}
_MODEL: JsonDict = {
    "version": 3,
    "rollout_percent": 100,
    "released_at": "2026-11-09T03:00:00Z",
    "round_number": 31,
    "same_as": None,
    "acceptance": {"calls": 900, "f1": 0.84, "false_alarms_per_1000": 48.0, "loss": 0.31, "loss_error": 0.02},
    "change": {
        "since": 2,
        "distance": 2.4,
        "relative": 0.11,
        "cosine": 0.994,
        "mean_score_difference": 0.03,
        "largest_score_difference": 0.41,
        "score_correlation": 0.98,
        "verdicts_changed": 0.02,
    },
}


class RoundAnswer(BaseModel):
    """A round of training. Counts are exact and the operator's own; the share clipped carries the update's noise."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_ROUND]})

    number: int
    asked: int = Field(description="Devices that were asked to train.")
    fates: dict[str, int] = Field(description="How many devices met each fate; they add up to `asked`.")
    epsilon: float | None = Field(description="Of one person, spent so far, against those who see releases.")
    acceptance_f1: float
    acceptance_loss: float
    acceptance_loss_error: float
    seconds: float
    clip_norm: float | None
    simulated: bool = Field(description="`epsilon` stands for a larger cohort and population than ran.")
    sent_again: int = Field(description="Second replies that were seen: a lower bound of those sent. None is folded.")
    aborted: str | None = Field(description="Why a secure round ended without a sum.")
    clipped_share: float | None = Field(description="Noised; may lie below 0 or above 1.")
    wrong_shares: int = Field(description="Devices that gave wrong shares in a secure round; none was used.")


class MeasuredAnswer(BaseModel):
    """One statistic by itself."""

    model_config = ConfigDict(from_attributes=True)

    value: float
    threshold: float = Field(description="Exceeded by chance, without drift, with the probability `alarm_level`.")
    p: float


class FigureDriftAnswer(BaseModel):
    """How far one figure lies from its reference."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DRIFT]})

    window: WindowName
    metric: str
    against: str = Field(description="`release`: its profile on the acceptance set. `window`: the first of its model.")
    reference: str = Field(description="The release's version, or the window's name.")
    reports: int
    effective_reports: float = Field(description="Answers without randomisation that would tell as much.")
    p: float = Field(description="Of the most surprising statistic, corrected for there being three.")
    alarm: bool
    statistics: dict[str, MeasuredAnswer]


class OverrideAnswer(BaseModel):
    """Of the calls that were warned of, the share whose warning was overridden by "보이스피싱 아님"."""

    window: WindowName
    rate: float | None = Field(description="Null where the answers show no warned call at all.")
    low: float = Field(description="Of Fieller's 95 % interval; 0 where the answers can't tell.")
    high: float


class DriftAnswer(BaseModel):
    """Drift of the released figures, the oldest window first."""

    alarm_level: float = Field(default=ALARM_LEVEL, description="Of one metric, window and reference.")
    drifts: list[FigureDriftAnswer]
    overrides: list[OverrideAnswer]


class AcceptanceAnswer(BaseModel):
    """A release on the server's own acceptance set."""

    model_config = ConfigDict(from_attributes=True)

    calls: int
    f1: float
    false_alarms_per_1000: float
    loss: float
    loss_error: float


class ChangeAnswer(BaseModel):
    """How a release differs from the model before."""

    model_config = ConfigDict(from_attributes=True)

    since: int = Field(description="A release's version, 0 for the base detector.")
    distance: float = Field(description="L2 norm of the difference of the weights.")
    relative: float = Field(description="That norm over the norm of the weights before.")
    cosine: float
    mean_score_difference: float
    largest_score_difference: float
    score_correlation: float
    verdicts_changed: float


class ModelAnswer(BaseModel):
    """A release and how it was when it was signed; nulls where it has no profile."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MODEL]})

    version: int
    rollout_percent: int
    released_at: datetime | None
    round_number: int | None
    same_as: int | None = Field(description="The release whose files these are again, after a rollback.")
    acceptance: AcceptanceAnswer | None
    change: ChangeAnswer | None


def round_answer(report: RoundReport) -> RoundAnswer:
    """Return a round as it is said over HTTP."""
    return RoundAnswer.model_validate(report)


def drift_answer(found: DriftOfFigure) -> FigureDriftAnswer:
    """Return a measured drift as it is said over HTTP."""
    return FigureDriftAnswer(
        window=found.window.name,
        metric=found.metric,
        against=found.against.value,
        reference=found.reference,
        reports=found.reports,
        effective_reports=found.drift.effective_reports,
        p=found.drift.p,
        alarm=found.drift.alarms,
        statistics={name.value: MeasuredAnswer.model_validate(m) for name, m in found.drift.statistics.items()},
    )


def override_answer(window: str, ratio: Ratio) -> OverrideAnswer:
    """Return an override rate as it is said over HTTP."""
    return OverrideAnswer(window=window, rate=ratio.value, low=ratio.low, high=ratio.high)


def model_answer(release: PublishedRelease, profile: ReleaseProfile | None) -> ModelAnswer:
    """Return a release with its profile, where it has one, as it is said over HTTP."""
    return ModelAnswer(
        version=release.version,
        rollout_percent=release.rollout_percent,
        released_at=None if profile is None else moment(profile.released_at),
        round_number=None if profile is None else profile.round_number,
        same_as=None if profile is None else profile.same_as,
        acceptance=None if profile is None else AcceptanceAnswer.model_validate(profile),
        change=None if profile is None or profile.change is None else ChangeAnswer.model_validate(profile.change),
    )
