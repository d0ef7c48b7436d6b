"""Devices that consented to statistics, put into a database at once, and the requests that each sends once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import Engine

from api.consents.repository import LedgerEntry, append_entry
from api.consents.texts import TEXTS
from api.database import transaction
from api.devices.service import enroll_device
from api.keys import KeyRing
from api.statistics.repository import lock_window
from fl_client.report_book import Report
from fl_client.request_signing import Credentials, DeviceSignature
from models.domain.consent import Purpose
from models.domain.statistic import WINDOW_EPSILON
from models.domain.window import open_window
from simulations.bench.load import as_sent

SIGNED_PATH, BARE_PATH = "/v1/statistics/reports", "/reports"


def add_devices(engine: Engine, ring: KeyRing, count: int) -> list[Credentials]:
    """Enrol devices that consented to statistics, in one transaction, and open the present window."""
    (text, *_) = (found for found in TEXTS if found.purpose is Purpose.STATISTICS)
    now = datetime.now(UTC)
    consent = LedgerEntry(text.purpose, True, text.version, text.language.value, int(now.timestamp()), receipt="0" * 32)
    with transaction(engine) as connection:
        lock_window(connection, open_window(now), exclusive=False)
        enrolled = [enroll_device(connection, ring) for _ in range(count)]
        for device in enrolled:
            append_entry(connection, device.device_id, consent)
    return [Credentials(device.device_id, device.secret) for device in enrolled]


def signed_reports(url: str, devices: Sequence[Credentials]) -> list[bytes]:
    """Return each device's report as it crosses the wire; they have to be sent within a minute."""
    report = Report(open_window(datetime.now(UTC)), "verdict", ("none",), WINDOW_EPSILON)
    return [
        as_sent(next(DeviceSignature(device).auth_flow(_post(url + SIGNED_PATH, content=report.body))))
        for device in devices
    ]


def bare_reports(url: str, devices: Sequence[Credentials]) -> list[bytes]:
    """Return the same rows as the peer takes them."""
    row = {"window": open_window(datetime.now(UTC)).name, "metric": "verdict", "answer": ["none"]}
    return [as_sent(_post(url + BARE_PATH, json=row | {"device_id": device.device_id})) for device in devices]


def _post(url: str, **content: Any) -> httpx.Request:
    headers = {"Content-Type": "application/json", "Accept": "*/*"}
    return httpx.Request("POST", url, headers=headers, **content)
