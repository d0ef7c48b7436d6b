"""The main job, end to end: base detector, federated rounds, signed release, a listening device, statistics, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fl_client.api_connection import open_connection
from fl_server.registry import Registry, create_registry
from fl_server.release.gate import Condition
from models.corpus.scenario import load_scenarios
from models.detector.detector import TrainedDetector
from models.detector.runtime import OnnxDetector
from models.detector.training import TrainingSettings, count_epochs, train_detector
from models.domain.call import Call
from models.domain.messages import SecureStage
from models.domain.privacy import PrivacyMode, PrivacyStatement
from models.durable_file import write_durably
from simulations.data import gather_calls
from simulations.federating import WatchedFederation, drop_out
from simulations.field import Field, device_world, lay_field
from simulations.grid import InProcessGrid, SimulatedGrid, Wiretap
from simulations.listening import Device, install_release, listen, make_demo_call
from simulations.progress import Advance, ProgressBars
from simulations.ray_engine.engine import run_on_ray
from simulations.releasing import ReleaseStage, release_best_round
from simulations.report.content import ReportContent, RunFacts, Scores
from simulations.report.page import render_report
from simulations.report.product import CallDetection, StatisticsOutcome
from simulations.reporting import PHONES_A_DEVICE, gather_phones, learn, report_calls
from simulations.scenarios import Drift, deal_scenarios, drift_named
from simulations.service import ApiAddress, ApiPlace, release_window, serving_api
from simulations.settings import Engine, RunSettings
from simulations.spending import plan_federation
from simulations.workers import MakeClientApp, WorkerGrid
from simulations.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Taps:
    """Where a test listens in: every byte on the grid, and every byte on the API's socket.

    Attributes:
        grid: Is given each message's bytes.
        socket: Is given the API's address and returns the one that devices shall use instead. With it they speak plain
            HTTP: through TLS a tap would hear nothing.
    """

    grid: Wiretap | None = None
    socket: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    content: ReportContent
    summary: dict[str, Any]
    conditions: tuple[Condition, ...]


def run_simulation(settings: RunSettings, workspace: Workspace, bars: ProgressBars, taps: Taps = Taps()) -> Outcome:
    """Run everything and write the report.

    Raises:
        HearsayError: Bad input, a spent budget, a port that can't be had: one clear line. What is done is kept.
    """
    started = time.monotonic()
    field = _prepare(settings, workspace, bars)
    registry = create_registry(workspace.registry)
    federation = _federate(settings, field, workspace, registry, bars, taps)
    workspace.clear_release()
    with bars.step("Choosing, exporting and signing the release"):
        release = release_best_round(
            federation,
            field.base,
            field.judge,
            field.calls.acceptance,
            create_registry(workspace.registry),
            workspace.root,
        )
    detection: CallDetection | None = None
    statistics: tuple[StatisticsOutcome, ...] = ()
    if release.trusted_root is not None:
        detection, statistics = _use_release(settings, field, release, workspace, bars, taps)
    content = ReportContent(
        run=_facts(settings, field.drift, time.monotonic() - started),
        rounds=tuple(federation.outcomes()),
        before=field.judge.measure(field.base.parameters),
        after=field.judge.measure(release.parameters),
        privacy=tuple(federation.privacy()),
        release=release.card,
        detection=detection,
        statistics=statistics,
    )
    return _conclude(content, release, workspace)


def _prepare(settings: RunSettings, workspace: Workspace, bars: ProgressBars) -> Field:
    plan_federation(settings)  # what can't be planned is refused before any work
    drift = drift_named(settings.scenario)
    given = None if settings.base is None else TrainedDetector.load(settings.base)
    with bars.step("Gathering calls"):
        calls = gather_calls(settings, drift)
    # Bad input has stopped the run by now: only then does an earlier run make room.
    workspace.begin()
    base = given or _base_detector(settings, calls.server, workspace.base, bars)
    with bars.step("Dealing calls to devices"):
        return lay_field(settings, drift, calls, base)


def _base_detector(settings: RunSettings, calls: Sequence[Call], folder: Path, bars: ProgressBars) -> TrainedDetector:
    if (folder / "detector.json").exists():
        return TrainedDetector.load(folder)
    training = TrainingSettings(seed=settings.seed)
    with bars.step("Training the base detector in one place", count_epochs(training, len(calls))) as advance:
        base = train_detector(calls, training, lambda _: advance())
    base.save(folder)
    return base


def _federate(
    settings: RunSettings, field: Field, workspace: Workspace, registry: Registry, bars: ProgressBars, taps: Taps
) -> WatchedFederation:
    federation = WatchedFederation(settings, field, workspace, registry)
    stages = len(SecureStage) if settings.privacy is PrivacyMode.SECURE else 1
    messages = settings.rounds * settings.cohort * stages
    with bars.step(f"Training on {settings.devices} devices, {settings.rounds} rounds", messages) as advance:
        match settings.engine:
            case Engine.LOCAL:
                with _local_grid(settings, field, workspace, federation, taps, advance) as grid:
                    federation.run(grid)
            case Engine.RAY:
                run_on_ray(settings, workspace, federation, advance)
    return federation


@contextmanager
def _local_grid(
    settings: RunSettings,
    field: Field,
    workspace: Workspace,
    federation: WatchedFederation,
    taps: Taps,
    advance: Advance,
) -> Iterator[SimulatedGrid]:
    """Yield devices in this process, or shared out among workers where there are several."""
    world, is_lost = device_world(field, workspace.federation), drop_out(settings.seed, settings.dropout)
    build_app: MakeClientApp = world.build_app
    if settings.privacy is PrivacyMode.SECURE:
        # A device's secrets live in one process for one round: a device stays with its worker.
        build_app = partial(world.build_secure_app, federation.enrolment.credentials_of)
    if settings.workers == 1:
        yield InProcessGrid(build_app(), settings.devices, is_lost, taps.grid, advance)
        return
    with WorkerGrid(build_app, settings.workers, settings.devices, is_lost, taps.grid, advance) as grid:
        yield grid


def _use_release(
    settings: RunSettings, field: Field, release: ReleaseStage, workspace: Workspace, bars: ProgressBars, taps: Taps
) -> tuple[CallDetection, tuple[StatisticsOutcome, ...]]:
    place = ApiPlace(
        database=f"sqlite:///{workspace.api / 'api.sqlite3'}",
        registry=workspace.registry,
        keys=workspace.keys / "api",
        log=workspace.logs / "api.log",
    )
    workspace.api.mkdir(parents=True, exist_ok=True)
    with serving_api(place, plain_http=taps.socket is not None) as address:
        if taps.socket is not None:
            address = replace(address, url=taps.socket(address.url))
        detection = _listen(settings, field, release, workspace, address, bars)
        statistics = _report(settings, field, release, place, address, bars)
    return detection, statistics


def _listen(
    settings: RunSettings,
    field: Field,
    release: ReleaseStage,
    workspace: Workspace,
    address: ApiAddress,
    bars: ProgressBars,
) -> CallDetection:
    device = Device(workspace.device, workspace.root / "trusted-root.json")
    assert release.trusted_root is not None
    write_durably(device.root, release.trusted_root)
    with bars.step("A device installs the release and listens to a call"):
        scenarios = deal_scenarios(load_scenarios(), field.drift.new_type, settings.seed).people
        call = make_demo_call(scenarios, field.drift.new_type, workspace.demo_call)
        installed = install_release(device, address)
        return listen(installed, call, workspace.demo_call, release.card.thresholds)


def _report(
    settings: RunSettings, field: Field, release: ReleaseStage, place: ApiPlace, address: ApiAddress, bars: ProgressBars
) -> tuple[StatisticsOutcome, ...]:
    with (
        bars.step("Phones send randomised statistics", PHONES_A_DEVICE * settings.devices) as advance,
        open_connection(address.url, address.ca_file) as connection,
    ):
        phones = gather_phones(OnnxDetector.load(release.exported), field.dealt, settings.seed)
        reported = report_calls(connection, phones, settings.seed, advance)
        if reported is None:
            return ()
        if reported.can_be_released:
            release_window(place)
        return learn(reported)


def _facts(settings: RunSettings, drift: Drift, seconds: float) -> RunFacts:
    return RunFacts(
        title=drift.title,
        scenario=drift.name,
        devices=settings.devices,
        cohort=settings.cohort,
        privacy=settings.privacy,
        # Of a detector that was brought along, nobody here knows what it saw.
        unseen_type=drift.new_type if settings.base is None else None,
        own_calls=settings.calls is not None,
        seconds=seconds,
        settings=_shown(settings),
    )


def _shown(settings: RunSettings) -> dict[str, str]:
    """Return the further settings that the page shows; of the protections those that were asked for."""
    shown = {"rounds": str(settings.rounds), "seed": str(settings.seed), "dropout": f"{settings.dropout:.0%}"}
    if settings.privacy.protects_persons:
        shown |= {"mechanism": settings.mechanism.value, "clipping": settings.clipping.value}
    return shown | ({"robust": settings.robust.value} if settings.robust else {})


def _conclude(content: ReportContent, release: ReleaseStage, workspace: Workspace) -> Outcome:
    write_durably(workspace.report, render_report(content).encode())
    summary = summarise(content, workspace.report)
    workspace.finish()
    return Outcome(content, summary, release.conditions)


def summarise(content: ReportContent, report: Path) -> dict[str, Any]:
    """Return what scripts read: the JSON object of the design."""
    card = content.release
    return {
        "scenario": content.run.scenario,
        "devices": content.run.devices,
        "rounds": len(content.rounds),
        "before": _scores(content.before),
        "after": _scores(content.after),
        "privacy": [_statement(statement) for statement in content.privacy],
        "release": {
            "version": card.version if card.released else None,
            "released": card.released,
            "round": card.chosen_round,
            "files": {file.name: file.size for file in card.files},
        }
        if card
        else None,
        "statistics": {told.metric.name: _told(told) for told in content.statistics},
        "report": str(report),
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "f1": scores.f1,
        "recall_by_type": {str(kind): recall for kind, recall in scores.recall_by_type.items()},
        "false_alarms_per_1000": scores.false_alarms_per_1000,
        "roc_auc": scores.roc_auc,
        "calls": scores.n,
    }


def _told(told: StatisticsOutcome) -> dict[str, Any]:
    estimates = told.estimates
    return {
        "epsilon": told.metric.epsilon,
        "reports": told.reports,
        "true_shares": dict(told.true_shares),
        "received_shares": dict(told.received_shares),
        "estimates": None if estimates is None else {value: asdict(found) for value, found in estimates.items()},
    }


def _statement(statement: PrivacyStatement) -> dict[str, Any]:
    return asdict(statement)
