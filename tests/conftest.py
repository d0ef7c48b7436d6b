"""What tests of several packages share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from models.domain.window import open_window

settings.register_profile("hearsay", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", settings.get_profile("hearsay"), derandomize=False)
settings.load_profile("hearsay")
"""No example fails by its time: a busy machine is no fault of the code. Speed is for the benchmarks. Examples follow
from the code, not from chance, so that none fails a change that it isn't about; ``--hypothesis-profile=search`` looks
for others."""


@pytest.fixture(scope="module")
def open_week() -> None:
    """Skip what reports to a process of the API, whose clock no test sets, in the last minutes of a week.

    A report that is drawn on Sunday and sent on Monday is refused, as it should be.
    """
    now = datetime.now(UTC)
    if open_window(now).collected_until - now < timedelta(minutes=15):
        pytest.skip("the week that is reported on ends in a moment (Monday, midnight in Korea): run it again then")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a detector trained on few calls, once for all tests."""
    # Imported here: most tests need no torch.
    from models.corpus.generator import generate_calls
    from models.detector.training import TrainingSettings, train_detector

    folder = tmp_path_factory.mktemp("detector") / "base"
    train_detector(generate_calls(300, seed=6), TrainingSettings(epochs=3)).save(folder)
    return folder
