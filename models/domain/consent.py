"""What a person can consent to. Each purpose is asked for, given and withdrawn apart (PIPA 22(1))."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """The three purposes; none is a condition of another."""

    DETECTION = "detection"
    TRAINING = "training"
    STATISTICS = "statistics"
