"""A release's profile: what it was like on the acceptance set when it was signed. Drift is measured against it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from models.domain.call import Label
from models.domain.statistic import NO_CALL, UNMEASURED
from models.errors import BadInputError

PROFILE_FILE = "profile.json"
"""Its name among a release's files. Devices don't fetch it."""

NOT_OF_A_CALL = (NO_CALL, UNMEASURED)
"""Values of the statistics that say nothing of a call; no acceptance call has them."""

CountsByLabel = Mapping[str, Mapping[str, int]]
"""Label (``normal``, ``vishing``) to value to calls."""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """How a release differs from the model that it takes the place of.

    Attributes:
        since: That model: a release's version, 0 for the base detector.
        distance: L2 norm of the difference of the weights.
        relative: That norm over the norm of the earlier weights.
        cosine: Of the angle between the two, -1 to 1.
        mean_score_difference: Mean absolute difference of an acceptance call's score.
        largest_score_difference: Of one such call.
        score_correlation: Pearson's, -1 to 1.
        verdicts_changed: Share of the acceptance calls that get another verdict.
    """

    since: int
    distance: float
    relative: float
    cosine: float
    mean_score_difference: float
    largest_score_difference: float
    score_correlation: float
    verdicts_changed: float


@dataclass(frozen=True, slots=True)
class ReleaseProfile:
    """A release on the server's own acceptance set. It holds counts and means of synthetic calls, nothing of people's.

    Attributes:
        version: The release's.
        released_at: Seconds since 1970.
        round_number: The round whose model it is; 0 is the base detector.
        calls: In the acceptance set.
        f1: Of the alarm there.
        false_alarms_per_1000: Normal calls there that raise it.
        loss: Mean cross-entropy there, in nats.
        loss_error: Standard error of that mean.
        histograms: By metric of the statistics, how many calls of each label have which value.
        change: ``None`` where the model before isn't known.
        same_as: The earlier release whose files these are again, after a rollback.
    """

    version: int
    released_at: int
    round_number: int
    calls: int
    f1: float
    false_alarms_per_1000: float
    loss: float
    loss_error: float
    histograms: Mapping[str, CountsByLabel]
    change: ModelChange | None = None
    same_as: int | None = None

    def again(self, version: int, released_at: int) -> ReleaseProfile:
        """Return the profile of the same files under a later version."""
        same_as = self.same_as or self.version
        return replace(self, version=version, released_at=released_at, change=None, same_as=same_as)


def write_profile(profile: ReleaseProfile) -> bytes:
    """Return a profile as JSON; values keep their order."""
    return json.dumps(asdict(profile), allow_nan=False).encode()


def read_profile(content: bytes) -> ReleaseProfile:
    """Return the profile that JSON holds.

    Raises:
        BadInputError: It holds none.
    """
    try:
        fields: dict[str, Any] = json.loads(content)
        change = fields.pop("change")
        profile = ReleaseProfile(**fields, change=None if change is None else ModelChange(**change))
        _check_numbers(profile)
        _check_histograms(profile.histograms)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise BadInputError("a release's profile is damaged") from None
    return profile


def _check_numbers(profile: ReleaseProfile) -> None:
    numbers = [value for name, value in asdict(profile).items() if name not in ("histograms", "change", "same_as")]
    numbers += [] if profile.change is None else list(asdict(profile.change).values())
    numbers += [] if profile.same_as is None else [profile.same_as]
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise ValueError
    if any(type(number) is not int for number in (profile.version, profile.released_at, profile.round_number)):
        raise ValueError


def _check_histograms(histograms: Mapping[str, CountsByLabel]) -> None:
    labels = {label.name.lower() for label in Label}
    for by_label in histograms.values():
        counts = [count for values in by_label.values() for count in values.values()]
        if set(by_label) != labels or not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError
        if len({tuple(values) for values in by_label.values()}) != 1:
            raise ValueError
