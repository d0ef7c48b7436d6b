"""What the database and the registry say at the moment when Prometheus asks. No figure is of a single device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from api.audit.repository import find_head
from api.context import Context
from api.database import transaction
from api.orders.situation import read_situation
from api.security_events import ALARMING
from api.tables import audit_log, drifts, pending_orders
from models.drift.alarm import ALARM_LEVEL
from models.errors import HearsayError
from models.record import read_record, record_names


class StateMetrics(Collector):
    """Reads the state anew for every answer. What can't be read is missing, and ``hearsay_readable`` is 0."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> list[Metric]:
        """Return nothing, so that the database isn't asked before it is served."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what there is now."""
        readable = GaugeMetricFamily("hearsay_readable", "Whether this part of the state can be read", labels=["part"])
        for part, read in (("database", self._database), ("orders", self._orders), ("rounds", self._rounds)):
            try:
                found = read()
            except (SQLAlchemyError, HearsayError, OSError):
                found = []
            yield from found
            readable.add_metric([part], float(bool(found)))
        yield readable

    def _database(self) -> list[Metric]:
        with transaction(self._context.engine, write=False) as connection:
            unwritten = connection.execute(select(func.count()).select_from(pending_orders)).scalar_one()
            return [
                _gauge("hearsay_audit_rows", "Rows of the audit log", find_head(connection).number),
                _gauge("hearsay_orders_unwritten", "Orders that aren't in the registry yet", unwritten),
                _gauge("hearsay_drift_alarms", "Drift alarms of the newest week", _count_drift_alarms(connection)),
                _count_alarms(connection),
            ]

    def _orders(self) -> list[Metric]:
        with transaction(self._context.engine, write=False) as connection:
            situation = read_situation(connection, self._context.settings.registry)
        found: list[Metric] = [
            _gauge("hearsay_orders_pending", "Operators' orders that aren't carried out yet", len(situation.pending)),
            _gauge("hearsay_rounds_paused", "1 while an operator pauses rounds", situation.paused),
        ]
        if situation.releases:
            newest = situation.releases[-1]
            found += [
                _gauge("hearsay_release_version", "The newest release", newest.version),
                _gauge("hearsay_release_rollout_percent", "Devices that are offered it", newest.rollout_percent),
            ]
        return found

    def _rounds(self) -> list[Metric]:
        last = _last_round(self._context.settings.registry)
        told = {
            "hearsay_round": ("The last round", last.get("number", 0)),
            "hearsay_acceptance_f1": ("F1 on the acceptance set after it", last.get("acceptance_f1")),
            "hearsay_acceptance_loss": ("Cross-entropy there, in nats", last.get("acceptance_loss")),
            "hearsay_person_epsilon": ("Epsilon of a person so far, against recipients", last.get("epsilon")),
        }
        return [_gauge(name, text, value) for name, (text, value) in told.items() if isinstance(value, (int, float))]


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _count_alarms(connection: Connection) -> CounterMetricFamily:
    wanted = [event.value for event in ALARMING]
    rows = connection.execute(
        select(audit_log.c.event, func.count().label("times"))
        .where(audit_log.c.event.in_(wanted))
        .group_by(audit_log.c.event)
    )
    counted = dict.fromkeys(wanted, 0) | {row.event: row.times for row in rows}
    alarms = CounterMetricFamily("hearsay_security_alarms", "What a guard should be woken for", labels=["event"])
    for event, count in counted.items():
        alarms.add_metric([event], count)
    return alarms


def _count_drift_alarms(connection: Connection) -> int:
    newest = select(func.max(drifts.c.window)).scalar_subquery()
    alarms = select(func.count()).where(drifts.c.window == newest, drifts.c.p <= ALARM_LEVEL)
    return int(connection.execute(alarms).scalar_one())


def _last_round(registry: Path) -> dict[str, Any]:
    folder = registry / "rounds"
    names = record_names(folder)
    return (read_record(folder, max(names)) if names else None) or {}
