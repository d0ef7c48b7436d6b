"""What is said over HTTP about statistics: closed domains only, no free text anywhere."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from models.domain.statistic import METRICS

WindowName = Annotated[str, Field(pattern=r"^[0-9]{4}-W[0-9]{2}$", max_length=8, examples=["2026-W46"])]

_FIELDS: dict[str, Any] = {metric.name: (Literal[metric.values], ...) for metric in METRICS.values()}


class ClosedAnswers(BaseModel):
    """One randomised value for every metric."""

    model_config = ConfigDict(extra="forbid")

    @property
    def by_metric(self) -> dict[str, str]:
        """The values as plain text."""
        values: dict[str, str] = self.model_dump()
        return values


if TYPE_CHECKING:
    Answers = ClosedAnswers
else:  # made from the domain's metrics, so that the two can't differ
    Answers = create_model("Answers", __base__=ClosedAnswers, __doc__=ClosedAnswers.__doc__, **_FIELDS)


class ReportRequest(BaseModel):
    """What one device reports on one window, randomised before it left the device."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"window": "2026-W46", "answers": {"verdict": "none"}}]}
    )

    window: WindowName
    answers: Answers


class ReportAnswer(BaseModel):
    """The report is stored."""

    window: WindowName
    collected_until: datetime = Field(description="When its figures are made and the report is deleted.")


class EstimateAnswer(BaseModel):
    """Which share of the devices holds a value."""

    model_config = ConfigDict(from_attributes=True)

    share: float = Field(description="Unbiased; noise may carry it below 0 or above 1.")
    standard_error: float
    low: float = Field(description="Of the 95 % interval, cut at 0.")
    high: float = Field(description="Of the 95 % interval, cut at 1.")


class FigureAnswer(BaseModel):
    """A released figure, frozen."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "metric": "verdict",
                    "window": "2026-W46",
                    "epsilon": 2.0,
                    "reports": 200,
                    "confidence": 0.95,
                    "estimates": {
                        "none": {"share": 0.41, "standard_error": 0.056, "low": 0.31, "high": 0.52},
                        "normal": {"share": 0.55, "standard_error": 0.057, "low": 0.44, "high": 0.66},
                        "suspicious": {"share": 0.03, "standard_error": 0.035, "low": 0.0, "high": 0.11},
                        "dangerous": {"share": 0.01, "standard_error": 0.034, "low": 0.0, "high": 0.09},
                    },
                }
            ]
        }
    )

    metric: str
    window: WindowName
    epsilon: float = Field(description="Local differential privacy of one device's answer in one window.")
    reports: int = Field(description="Devices that answered.")
    confidence: float = Field(description="Of each value's interval by itself.")
    estimates: dict[str, EstimateAnswer]


class WindowsAnswer(BaseModel):
    """The calendar."""

    open: WindowName
    collected_until: datetime
    released: list[WindowName]
