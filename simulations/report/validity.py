"""What the figures of a report must satisfy."""

from __future__ import annotations

from models.errors import HearsayError


class ReportContentError(HearsayError):
    """The run told its report something that can't be: a share above one, an epsilon nobody accounts for."""


def require_share(name: str, value: float) -> None:
    """Refuse a share that is not between 0 and 1; NaN is refused with them.

    Raises:
        ReportContentError: It is not.
    """
    if not 0.0 <= value <= 1.0:
        raise ReportContentError(f"{name}: expected a share from 0 to 1, got {value}")
