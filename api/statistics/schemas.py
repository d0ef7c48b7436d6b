"""What is said over HTTP about statistics: closed domains only, no free text anywhere."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from models.domain.statistic import METRICS, Metric
from models.privacy.local_randomiser import Encoding, LocalRandomiser

WindowName = Annotated[str, Field(pattern=r"^[0-9]{4}-W[0-9]{2}$", max_length=8, examples=["2026-W46"])]


class ClosedReport(BaseModel):
    """What one device reports on one window: one question, and an answer that was randomised on the device."""

    model_config = ConfigDict(extra="forbid")

    window: WindowName
    if TYPE_CHECKING:
        metric: str
        answer: list[str]


def _report_on(metric: Metric) -> type[ClosedReport]:
    """Return the form of a report on one question, made from the domain, so that the two can't differ."""
    randomiser = LocalRandomiser(metric.values, metric.epsilon)
    fewest, most = (1, 1) if randomiser.encoding is Encoding.DIRECT else (0, len(metric.values))

    def check(answer: list[str]) -> list[str]:
        if not randomiser.is_answer(answer):
            raise ValueError("expected values of the metric, each once and in their order")
        return answer

    name: Any = Literal[metric.name]
    values: Any = Literal[metric.values]
    answer = Annotated[list[values], Field(min_length=fewest, max_length=most), AfterValidator(check)]
    made: type[ClosedReport] = create_model(
        f"{metric.name.title().replace('_', '')}Report",
        __base__=ClosedReport,
        __doc__=ClosedReport.__doc__,
        metric=(name, ...),
        answer=(answer, Field(examples=[[metric.values[0]]])),
    )
    return made


if TYPE_CHECKING:
    ReportRequest = ClosedReport
else:
    ReportRequest = Annotated[
        Union[tuple(_report_on(metric) for metric in METRICS.values())],  # noqa: UP007  the members are made above
        Field(discriminator="metric"),
    ]


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
    """The released figure of one question, frozen."""

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
    reports: int = Field(description="Devices that answered this question.")
    confidence: float = Field(description="Of each value's interval by itself.")
    estimates: dict[str, EstimateAnswer]


class WindowsAnswer(BaseModel):
    """The calendar."""

    open: WindowName | None = Field(description="Reports are taken for it; null where it was closed early.")
    collected_until: datetime = Field(description="When the present week's figures are made at the latest.")
    released: list[WindowName]
