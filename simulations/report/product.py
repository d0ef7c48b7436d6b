"""What a run led to: the release, what a device said with it, and what the API learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.domain.call import Call
from models.domain.release import Thresholds, Verdict
from models.domain.statistic import Metric
from simulations.report.validity import ReportContentError, require_share


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file of the release and its size in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Quantisation:
    """FP32 against the canonical INT8, on the same calls.

    Attributes:
        largest_score_difference: Over all calls compared, calibrated scores.
        verdicts_changed: Calls whose verdict differs.
        calls: Calls compared.
        fp32_milliseconds: Mean latency of one call.
        int8_milliseconds: The same in INT8.
    """

    largest_score_difference: float
    verdicts_changed: int
    calls: int
    fp32_milliseconds: float
    int8_milliseconds: float


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One condition of the acceptance gate, in words that people can read: ``F1 0.94, at least 0.90``."""

    name: str
    measured: str
    required: str
    passed: bool


@dataclass(frozen=True, slots=True)
class ReleaseCard:
    """The model that went to the gate, and the release where it passed.

    Attributes:
        version: The release's version, or the one that it would have had.
        chosen_round: The round whose model was chosen on the server's acceptance set.
        gate: The gate's conditions; the model is released only where all passed.
    """

    version: str
    chosen_round: int
    files: tuple[ReleaseFile, ...]
    quantisation: Quantisation
    thresholds: Thresholds
    gate: tuple[GateCheck, ...]

    @property
    def released(self) -> bool:
        """Whether the gate let the model through."""
        return all(check.passed for check in self.gate)

    @property
    def size_on_devices(self) -> int:
        """Bytes of the one file that devices run; the others are the same model for other runtimes."""
        return next((file.size for file in self.files if file.name.endswith(".ort")), 0)


@dataclass(frozen=True, slots=True)
class WindowJudgement:
    """What the device said after so many seconds of the call.

    ``key_tokens`` are at most five words of it; the reason is Korean, as the device's owner reads it.
    """

    seconds: float
    score: float
    verdict: Verdict
    key_tokens: tuple[str, ...]
    reason: str

    def __post_init__(self) -> None:
        require_share("score", self.score)


@dataclass(frozen=True, slots=True)
class CallDetection:
    """A device listening to one call as it grows.

    Attributes:
        call: The demo's own synthetic call. Never a call of the user's: its text is printed.
        thresholds: Those that the device judged by.
        windows: At least one, in order of time.
    """

    call: Call
    thresholds: Thresholds
    windows: tuple[WindowJudgement, ...]

    def __post_init__(self) -> None:
        if not self.windows:
            raise ReportContentError("a detection needs at least one window")

    @property
    def first_warning(self) -> WindowJudgement | None:
        """The earliest window whose verdict was a warning."""
        return next((window for window in self.windows if window.verdict is not Verdict.NORMAL), None)


@dataclass(frozen=True, slots=True)
class ShareEstimate:
    """An estimated share and its 95 % interval, which may reach beyond 0 and 1."""

    share: float
    low: float
    high: float

    @property
    def shown(self) -> float:
        """The share as people are shown it: cut to 0 and 1, as the interval is. Sums and means need ``share``."""
        return min(max(self.share, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class StatisticsOutcome:
    """What phones answered to one question and what the API could learn from it.

    Attributes:
        metric: The question, its values and its epsilon.
        true_shares: By value, of all phones that reported. Known to the simulator only: no phone ever sends this.
        received_shares: By value, as the randomised answers came in.
        estimates: By value; ``None`` where too few answers came to release a figure.
        reports: Answers to this question.
        threshold: Answers that a release needs.
        refused: Phones turned away because they hadn't consented, whatever they would have answered.
    """

    metric: Metric
    true_shares: Mapping[str, float]
    received_shares: Mapping[str, float]
    estimates: Mapping[str, ShareEstimate] | None
    reports: int
    threshold: int
    refused: int

    def __post_init__(self) -> None:
        given = [self.true_shares, self.received_shares] + ([] if self.estimates is None else [self.estimates])
        if any(set(shares) != set(self.metric.values) for shares in given):
            raise ReportContentError(f"expected a share for each value of {self.metric.name}")
