"""A platform that has run for half a year: releases, rounds, released figures, and calls that drift at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, insert

from api.database import transaction
from api.statistics.repository import Figure, WindowState, insert_figure
from api.tables import windows
from fl_server.registry import append_round, create_registry
from fl_server.release.publishing import publish_release, roll_back
from fl_server.release.repository import create_repository
from fl_server.release.signing import OFFLINE_ROLES, ONLINE_ROLES, create_keys
from fl_server.release.targets import RELEASED_FILES
from models.domain.profile import ModelChange, ReleaseProfile
from models.domain.round import ReplyFate, RoundReport
from models.domain.statistic import METRICS, SCORES, UNKNOWN_WORDS, Metric
from models.domain.window import Window, open_window
from models.privacy.local_randomiser import LocalRandomiser

WEEKS = 26
DRIFTING_WEEKS = 5
ANSWERS = 3000
"""To one question in one week."""

NORMAL = {
    "verdict": {"normal": 570, "suspicious": 24, "dangerous": 6},
    "score": dict(zip(SCORES.names, (160, 140, 120, 90, 50, 20, 14, 6), strict=True)),
}
VISHING = {
    "verdict": {"normal": 30, "suspicious": 90, "dangerous": 180},
    "score": dict(zip(SCORES.names, (2, 3, 5, 10, 20, 40, 70, 150), strict=True)),
}

USUAL = {
    "verdict": {"none": 0.35, "normal": 0.61, "suspicious": 0.027, "dangerous": 0.013},
    "scam_type": {
        "none": 0.35,
        "no_scam": 0.61,
        "agency": 0.008,
        "loan": 0.018,
        "messenger": 0.006,
        "smishing": 0.004,
        "unknown": 0.004,
    },
    "score": {"none": 0.35, **{name: 0.65 * share / 600 for name, share in NORMAL["score"].items()}},
    "call_length": {
        "none": 0.35,
        "under_30s": 0.2,
        "30s_to_1min": 0.2,
        "1_to_3min": 0.15,
        "3_to_10min": 0.07,
        "over_10min": 0.03,
    },
    "release": {"none": 0.35, "newest": 0.5, "previous": 0.12, "older": 0.03},
    "override": {"none": 0.35, "not_warned": 0.53, "kept": 0.09, "overridden": 0.03},
    "unknown_words": {
        "none": 0.35,
        "unmeasured": 0.05,
        **dict(zip(UNKNOWN_WORDS.names, (0.25, 0.2, 0.1, 0.03, 0.02), strict=True)),
    },
}

DRIFTED = USUAL | {
    "verdict": {"none": 0.35, "normal": 0.42, "suspicious": 0.13, "dangerous": 0.1},
    "scam_type": {
        "none": 0.35,
        "no_scam": 0.42,
        "agency": 0.17,
        "loan": 0.03,
        "messenger": 0.01,
        "smishing": 0.01,
        "unknown": 0.01,
    },
    "unknown_words": {
        "none": 0.35,
        "unmeasured": 0.05,
        **dict(zip(UNKNOWN_WORDS.names, (0.1, 0.15, 0.18, 0.1, 0.07), strict=True)),
    },
}

_KEYS = {"offline": OFFLINE_ROLES, "online": ONLINE_ROLES}

CHANGE = ModelChange(0, 2.4, 0.11, 0.994, 0.03, 0.41, 0.982, 0.021)


def fill_database(engine: Engine, now: datetime, weeks: int = WEEKS, answers: int = ANSWERS) -> None:
    """Release so many weeks' figures, the last of them drifted."""
    rng = np.random.default_rng(11)
    newest = Window(open_window(now).monday - timedelta(weeks=1))
    shown = [Window(newest.monday - timedelta(weeks=back)) for back in reversed(range(weeks))]
    with transaction(engine) as connection:
        for place, week in enumerate(shown):
            closed = int(week.collected_until.timestamp())
            values = {"state": WindowState.RELEASED.value, "reports": 7 * answers, "closed_at": closed}
            connection.execute(insert(windows).values(name=week.name, **values))
            shares = DRIFTED if place >= weeks - DRIFTING_WEEKS else USUAL
            for metric in METRICS.values():
                insert_figure(connection, draw_figure(week, metric, shares[metric.name], answers, rng))


def draw_figure(
    week: Window, metric: Metric, shares: Mapping[str, float], answers: int, rng: np.random.Generator
) -> Figure:
    """Return a week's figure of one question, from answers that were drawn by their shares and randomised."""
    randomiser = LocalRandomiser(metric.values, metric.epsilon)
    truth = np.array([shares.get(value, 0.0) for value in metric.values])
    drawn = randomiser.draw_counts(truth / truth.sum(), answers, rng)
    counts = dict(zip(metric.values, drawn.tolist(), strict=True))
    return Figure(week, metric.name, metric.epsilon, answers, counts, randomiser.estimate(counts, answers))


def fill_registry(folder: Path, now: datetime, rounds: int = 60) -> None:
    """Publish three releases and go back once; report rounds.

    Args:
        folder: The registry is made in its ``registry``, the keys beside it.
        now: When the newest week's figures were made.
        rounds: How many are reported.
    """
    registry = create_registry(folder / "registry")
    offline, online = (create_keys(folder / name, roles) for name, roles in _KEYS.items())
    create_repository(registry, offline, online, now=now)
    starts = now - timedelta(weeks=WEEKS + 4)
    for version in (1, 2, 3):
        _write_export(folder / "exported", version)
        at = starts + timedelta(weeks=9 * (version - 1))
        profile = make_profile(version, at)
        notes = f"after round {profile.round_number}"
        publish_release(registry, online, folder / "exported", version, notes=notes, profile=profile)
    roll_back(registry, online, 2, notes="release 3 warned too often", now=now - timedelta(weeks=2))
    for report in make_rounds(rounds):
        append_round(registry, report)


def _write_export(folder: Path, version: int) -> None:
    """Write files that are no detector's: nothing here reads them."""
    folder.mkdir(exist_ok=True)
    for name in RELEASED_FILES:
        (folder / name).write_bytes(f"{name}: weights {version}".encode())


def make_profile(version: int, at: datetime) -> ReleaseProfile:
    """Return a release's profile."""
    histograms = {metric: {"normal": NORMAL[metric], "vishing": VISHING[metric]} for metric in NORMAL}
    change = replace(CHANGE, since=version - 1, relative=CHANGE.relative / version)
    f1 = 0.78 + 0.03 * version
    return ReleaseProfile(
        version,
        int(at.timestamp()),
        20 * version,
        900,
        f1,
        62.0 - 6 * version,
        0.4 - 0.03 * version,
        0.02,
        histograms,
        change,
    )


def make_rounds(count: int) -> list[RoundReport]:
    """Return rounds of 40 devices, some of which drop out or refuse."""
    rng = np.random.default_rng(5)
    reports = []
    for number in range(1, count + 1):
        unhappy = {ReplyFate.NO_REPLY: (40, 0.12), ReplyFate.REFUSED: (4, 0.3), ReplyFate.TOO_LARGE: (3, 0.1)}
        fates = dict.fromkeys(ReplyFate, 0) | {fate: int(rng.binomial(*odds)) for fate, odds in unhappy.items()}
        fates[ReplyFate.FOLDED] = 40 - sum(fates.values())
        f1 = 0.86 - 0.1 * 0.93**number + float(rng.normal(0, 0.006))
        reports.append(
            RoundReport(
                number,
                40,
                fates,
                0.4 + 0.05 * number**0.5,
                f1,
                0.7 - 0.45 * f1,
                0.02,
                4.0,
                1.5,
                simulated=True,
                clipped_share=float(np.clip(rng.normal(0.4, 0.05), -0.1, 1.1)),
            )
        )
    return reports
