"""`simulations run`: from options to a run, and what it tells people and scripts at its end."""

from __future__ import annotations

import argparse
import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.table import Table

from fl_server.release.gate import require_passed
from models.command import console, print_json
from models.domain.privacy import ClippingRule, Mechanism, PrivacyMode, show_epsilon
from models.domain.release import Verdict
from models.domain.round import RobustRule
from models.domain.secure_aggregation import ThreatModel
from models.errors import BadInputError, UsageError
from models.folder_lock import locked_folder
from simulations.progress import show_progress
from simulations.report.content import ReportContent, Scores
from simulations.report.page import DRAWN
from simulations.report.product import StatisticsOutcome
from simulations.report.wording import adversary_text
from simulations.run import Outcome, run_simulation
from simulations.settings import Engine, RunSettings
from simulations.workspace import open_workspace

_DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}

_VERDICTS = {Verdict.NORMAL: "정상", Verdict.SUSPICIOUS: "의심", Verdict.DANGEROUS: "위험"}


def run_and_tell(options: argparse.Namespace) -> None:
    """Run a simulation; print a summary on standard error and the JSON object on standard output.

    Raises:
        HearsayError: See ``run_simulation``.
    """
    logging.getLogger("flwr").setLevel(logging.ERROR)
    # The devices' matrices are small: a second thread costs more than it brings.
    torch.set_num_threads(1)
    settings = _settings(options)
    workspace = open_workspace(options.out, settings.digest(), resume=options.resume)
    if workspace.replaces:
        why = "the run there had finished" if options.resume else "--resume would go on with the run there"
        console.print(f"{options.out}: starting over; {why}", markup=False)
    with (
        show_progress() as bars,
        _naming_a_full_disk(options.out),
        locked_folder(options.out),
        _telling_how_to_go_on(),
    ):
        outcome = run_simulation(settings, workspace, bars)
    if not options.json:
        _tell(outcome)
    print_json(outcome.summary)
    require_passed(outcome.conditions)


def _settings(options: argparse.Namespace) -> RunSettings:
    _require_of_account(options)
    return RunSettings(
        scenario=options.scenario,
        devices=options.devices,
        cohort=options.cohort,
        rounds=options.rounds,
        seed=options.seed,
        privacy=PrivacyMode(options.privacy),
        exact_population=options.exact_population,
        dropout=options.dropout,
        calls=options.calls,
        base=options.base,
        engine=options.engine,
        workers=(os.cpu_count() or 1) if options.workers is None else options.workers,
        mechanism=Mechanism(options.mechanism or Mechanism.GAUSSIAN),
        clipping=ClippingRule(options.clipping or ClippingRule.FIXED),
        robust=RobustRule(options.robust) if options.robust else None,
        threat_model=ThreatModel(options.threat_model or ThreatModel.ACTIVE),
    )


def _require_of_account(options: argparse.Namespace) -> None:
    """Refuse options that this run would pass over, so that nobody believes that they counted."""
    mode, persons = PrivacyMode(options.privacy), "--privacy person, both or secure"
    for option, about, counts, given in (
        ("mechanism", persons, mode.protects_persons, mode),
        ("clipping", persons, mode.protects_persons, mode),
        ("exact_population", persons, mode.protects_persons, mode),
        ("threat_model", "--privacy secure", mode is PrivacyMode.SECURE, mode),
        ("workers", "--engine local", options.engine is Engine.LOCAL, options.engine),
    ):
        if getattr(options, option) not in (None, False) and not counts:
            raise UsageError(f"--{option.replace('_', '-')} is about {about}, not {given}")


@contextmanager
def _telling_how_to_go_on() -> Iterator[None]:
    """Say at Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("what is done is kept: the same command with --resume (make demo has it) goes on", markup=False)
        raise


@contextmanager
def _naming_a_full_disk(out: Path) -> Iterator[None]:
    """Tell of a folder that can't be written to any more in one line. What is done is kept."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_TROUBLE:
            raise
        raise BadInputError(f"{out}: can't be written to: {error.strerror}") from error


def _tell(outcome: Outcome) -> None:
    content = outcome.content
    console.print(_accuracy(content))
    for line in (*_privacy(content), *_release(content), *_detection(content), *_statistics(content)):
        console.print(line, markup=False)
    console.print(f"Report: {outcome.summary['report']}", markup=False, soft_wrap=True)


def _accuracy(content: ReportContent) -> Table:
    before, after = content.before, content.after
    table = Table("30 s into a call, on calls kept apart", "before", "after")
    for name, old, new in (
        ("F1", before.f1, after.f1),
        ("ROC-AUC", before.roc_auc, after.roc_auc),
        ("false alarms in 1,000 calls", before.false_alarms_per_1000, after.false_alarms_per_1000),
    ):
        table.add_row(name, _figure(old), _figure(new))
    for kind in sorted(before.recall_by_type):
        new_type = "  (new: the base never saw one)" if kind == content.run.unseen_type else ""
        table.add_row(f"recall: {kind}{new_type}", *(_recall(scores, kind) for scores in (before, after)))
    return table


def _figure(value: float) -> str:
    return f"{value:.3f}" if value <= 1 else f"{value:.1f}"


def _recall(scores: Scores, kind: str) -> str:
    return f"{dict(scores.recall_by_type)[kind]:.3f}"  # type: ignore[index]


def _privacy(content: ReportContent) -> list[str]:
    if not content.privacy:
        return ["Privacy: none asked for; nobody is protected."]
    return [
        f"Privacy per {s.unit} against {adversary_text(s).en}: epsilon {show_epsilon(s.epsilon)} at delta {s.delta:g}"
        + (", by DP-FTRL: no draw of the cohort is relied on" if s.mechanism is Mechanism.FTRL else "")
        + (f" (simulated: a cohort of {s.cohort:,} of {s.population:,})" if s.simulated else "")
        for s in content.privacy
    ]


def _release(content: ReportContent) -> list[str]:
    card = content.release
    if card is None:
        return []
    word = f"Released: version {card.version}" if card.released else "NOT released, the gate refused it: the model"
    return [f"{word} from round {card.chosen_round}, {card.size_on_devices / 1e6:.2f} MB on a device"]


def _detection(content: ReportContent) -> list[str]:
    if content.detection is None:
        return []
    warned = content.detection.first_warning
    if warned is None:
        return ["The device heard the demo's call to its end and gave no warning."]
    words = ", ".join(warned.key_tokens)
    return [
        f"The device warned after {warned.seconds:g} s: {_VERDICTS[warned.verdict]}, score {warned.score:.2f}",
        f"  key words: {words}",
        f"  {warned.reason}",
    ]


def _statistics(content: ReportContent) -> list[str]:
    if not content.statistics:
        return []
    first, total = content.statistics[0], sum(told.reports for told in content.statistics)
    head = (
        f"The API was told {total} randomised answers to {len(content.statistics)} questions, each phone one"
        f" (epsilon {first.metric.epsilon:g}); {first.refused} refused. From {first.threshold} answers on it estimates"
        " (more in the report):"
    )
    lines = [f"  {told.metric.name}: {_estimated(told)}" for told in content.statistics if told.metric in DRAWN]
    return [head, *lines]


def _estimated(told: StatisticsOutcome) -> str:
    if told.estimates is None:
        return f"withheld, {told.reports} answers"
    return ", ".join(f"{value} {e.shown:.0%} ({e.low:.0%} to {e.high:.0%})" for value, e in told.estimates.items())
