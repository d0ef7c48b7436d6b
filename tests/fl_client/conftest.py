"""What a device that refuses says to the server, and what only its own log says."""

from __future__ import annotations

import logging

import pytest
from flwr.app import Message

from models.domain.messages import REFUSED


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return devices' own log."""
    caplog.set_level(logging.INFO, "hearsay.device")
    return caplog


def refusal_in(reply: Message, log: pytest.LogCaptureFixture) -> str:
    """Return why a device refused, from its log; the reply says that it did, and nothing else."""
    assert (reply.error.code, reply.error.reason) == (REFUSED, "refused")
    return log.messages[-1]
