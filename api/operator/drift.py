"""Measuring drift: each released figure once, against the release's profile and against its model's first window."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from api.context import Context
from api.database import transaction
from api.operator import repository
from api.operator.repository import Against, DriftOfFigure
from api.releases.profiles import read_profile_of
from api.releases.repository import RegistryUnreadableError, read_releases
from api.statistics.repository import Figure, figures_of
from models.domain.profile import NOT_OF_A_CALL, ReleaseProfile
from models.domain.statistic import RELEASE
from models.domain.window import Window
from models.drift.alarm import measure_drift
from models.drift.histogram import Histogram
from models.drift.reference import figure_histogram, profile_histogram
from models.errors import BadInputError

UNWATCHED = frozenset({RELEASE.name})
"""Metrics that change with every rollout: an alarm would tell of nothing else."""

EVERY_DEVICE = 100
"""Percent."""

_log = logging.getLogger("hearsay.api")


@dataclass(frozen=True, slots=True)
class References:
    """What figures may be held against.

    Attributes:
        profiles: Of the releases that every device is offered, the oldest first.
    """

    profiles: Sequence[ReleaseProfile]

    def release_of(self, window: Window) -> ReleaseProfile | None:
        """Return the profile of the newest release that was there before a window ended.

        Of a window before all of them, the first one's: nothing else can have judged a call that is reported on.
        """
        ends = window.ends.timestamp()
        there = [profile for profile in self.profiles if profile.released_at < ends] or self.profiles[:1]
        return there[-1] if there else None

    def model_of(self, window: Window) -> int | None:
        """Return the version under which the model of a window was first released."""
        release = self.release_of(window)
        return None if release is None else release.same_as or release.version


def measure_new_figures(context: Context) -> None:
    """Measure the figures that weren't yet. What can't be read now is tried again by upkeep."""
    with transaction(context.engine, write=False) as connection:
        metrics = sorted(repository.unmeasured_metrics(connection) - UNWATCHED)
        known = {(found.window, found.metric, found.against) for found in repository.list_drifts(connection)}
        figures = {metric: figures_of(connection, metric) for metric in metrics}
    try:
        references = read_references(context)
    except RegistryUnreadableError:
        _log.error("drift is not measured: the registry can't be read")
        return
    for found in _measure(figures, references, known):
        with transaction(context.engine) as connection:
            repository.insert_drift(connection, found)
        if found.drift.alarms:
            _log.warning("drift of %s in %s against %s", found.metric, found.window.name, found.reference)


def read_references(context: Context) -> References:
    """Return what figures may be held against.

    Raises:
        RegistryUnreadableError: The registry is damaged.
    """
    registry = context.settings.registry
    offered = [release for release in read_releases(registry) if release.rollout_percent == EVERY_DEVICE]
    return References([profile for release in offered if (profile := read_profile_of(registry, release)) is not None])


def _measure(
    figures: Mapping[str, Sequence[Figure]], references: References, known: set[tuple[Window, str, Against]]
) -> Iterator[DriftOfFigure]:
    for metric, of_metric in figures.items():
        for figure in of_metric:
            for against, name, reference in _references_of(figure, of_metric, references):
                if (figure.window, metric, against) not in known:
                    yield from _compare(figure, against, name, reference)


def _references_of(
    figure: Figure, of_metric: Sequence[Figure], references: References
) -> Iterator[tuple[Against, str, Histogram]]:
    release = references.release_of(figure.window)
    if release is not None and figure.metric in release.histograms:
        yield Against.RELEASE, str(release.version), profile_histogram(release.histograms[figure.metric])
    model = references.model_of(figure.window)
    first = next(other for other in of_metric if references.model_of(other.window) == model)
    if first.window < figure.window:
        yield Against.WINDOW, first.window.name, histogram_of(first)


def _compare(figure: Figure, against: Against, name: str, reference: Histogram) -> Iterator[DriftOfFigure]:
    rng = np.random.default_rng(_seed(figure, against))
    try:
        drift = measure_drift(histogram_of(figure), reference, rng, apart=NOT_OF_A_CALL)
    except BadInputError:  # a question whose values were changed meanwhile has no reference any more
        return
    yield DriftOfFigure(figure.window, figure.metric, against, name, figure.reports, drift)


def histogram_of(figure: Figure) -> Histogram:
    """Return a released figure as a histogram that knows its noise."""
    return figure_histogram(figure.counts, figure.reports, figure.epsilon)


def _seed(figure: Figure, against: Against) -> int:
    """Return a seed that is the same for the same figure: whoever measures again finds the same."""
    return int.from_bytes(hashlib.sha256(f"{figure.window.name} {figure.metric} {against}".encode()).digest()[:8])
