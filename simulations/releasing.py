"""From the federated rounds to a signed release: choose, calibrate, export, compare, gate, publish."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fl_server.acceptance import choose_round
from fl_server.registry import Registry
from fl_server.release.gate import Candidate, Condition, judge_candidate
from fl_server.release.profile import Judged, JudgedModel, describe_change, make_profile
from fl_server.release.publishing import publish_release
from fl_server.release.repository import create_repository
from fl_server.release.signing import OFFLINE_ROLES, ONLINE_ROLES, create_keys
from models.detector.decision import calibrate_logits
from models.detector.detector import TrainedDetector
from models.detector.export import ScoresDifferError, export_detector
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector
from models.detector.scoring import score_calls
from models.domain.call import Call
from models.domain.profile import ReleaseProfile
from models.domain.statistic import JUDGED_AT_SECONDS as HEARD_FOR_SECONDS
from models.privacy.vectors import Arrays
from models.text.window import words_until
from simulations.federating import WatchedFederation
from simulations.measuring import JUDGED_AT_SECONDS, Judge
from simulations.report.content import RoundOutcome
from simulations.report.product import GateCheck, Quantisation, ReleaseCard, ReleaseFile

VERSION = 1


@dataclass(frozen=True, slots=True)
class ReleaseStage:
    """The model that went to the gate.

    Attributes:
        card: For the report; says whether it was released.
        parameters: The chosen round's.
        exported: Folder of its files.
        conditions: The gate's.
        trusted_root: Root metadata that devices are given by hand; ``None`` where nothing was released.
    """

    card: ReleaseCard
    parameters: Arrays
    exported: Path
    conditions: tuple[Condition, ...]
    trusted_root: bytes | None


def release_best_round(
    federation: WatchedFederation,
    base: TrainedDetector,
    judge: Judge,
    acceptance: Sequence[Call],
    registry: Registry,
    out: Path,
) -> ReleaseStage:
    """Choose the round on the acceptance set, export its model and publish it where the gate lets it through."""
    chosen = _choose(federation.outcomes())
    parameters = federation.model_after(chosen)
    detector = base.with_parameters(parameters).with_calibration(*judge.calibrate(parameters))
    exported = out / "exported"
    files, beyond_tolerance = _export(detector, exported)
    quantisation = compare_variants(exported, acceptance)
    conditions = judge_candidate(
        Candidate(
            judge.accept(parameters),
            judge.accept(base.parameters),
            float(np.maximum(quantisation.largest_score_difference, beyond_tolerance)),
            quantisation.verdicts_changed / quantisation.calls,
        )
    )
    card = ReleaseCard(
        version=str(VERSION),
        chosen_round=chosen,
        files=tuple(ReleaseFile(path.name, path.stat().st_size) for path in files),
        quantisation=quantisation,
        thresholds=detector.thresholds,
        gate=tuple(GateCheck(c.name, c.measured, c.required, c.passed) for c in conditions),
    )
    root = None
    if card.released:
        profile = _profile(chosen, detector, base, judge, acceptance, exported)
        root = _publish(registry, exported, profile, out / "keys")
    return ReleaseStage(card, parameters, exported, conditions, root)


def _export(detector: TrainedDetector, folder: Path) -> tuple[list[Path], float]:
    """Return the files, and how far one is from torch's scores where the exporter wouldn't have it; else 0."""
    try:
        return export_detector(detector, folder), 0.0
    except ScoresDifferError as error:
        # Noise of few devices can do that to a model. The gate refuses it, and the run still ends with its report.
        return error.files, error.difference


def compare_variants(exported: Path, calls: Sequence[Call]) -> Quantisation:
    """Return how the released INT8 differs from FP32 on calls at 30 s, and how long each takes for one call."""
    words = [words_until(call, JUDGED_AT_SECONDS) for call in calls]
    fp32, int8 = (OnnxDetector.load(exported, variant) for variant in (ModelVariant.FP32, ModelVariant.INT8))
    before, fp32_milliseconds = _score_one_by_one(fp32, words)
    after, int8_milliseconds = _score_one_by_one(int8, words)
    levels = np.array([fp32.thresholds.suspicious, fp32.thresholds.dangerous])
    return Quantisation(
        largest_score_difference=float(np.abs(before - after).max()),
        verdicts_changed=int(
            (np.searchsorted(levels, before, "right") != np.searchsorted(levels, after, "right")).sum()
        ),
        calls=len(words),
        fp32_milliseconds=fp32_milliseconds,
        int8_milliseconds=int8_milliseconds,
    )


def _choose(outcomes: Sequence[RoundOutcome]) -> int:
    reports = [outcome.report for outcome in outcomes]
    index = choose_round(
        [report.acceptance_loss for report in reports], [report.acceptance_loss_error for report in reports]
    )
    return reports[index].number


def _score_one_by_one(detector: OnnxDetector, calls: Sequence[Sequence[str]]) -> tuple[np.ndarray, float]:
    started = time.perf_counter()
    scores = np.array([detector.score(words) for words in calls])
    return scores, 1000 * (time.perf_counter() - started) / len(calls)


def _profile(
    chosen: int,
    detector: TrainedDetector,
    base: TrainedDetector,
    judge: Judge,
    acceptance: Sequence[Call],
    exported: Path,
) -> ReleaseProfile:
    """Return what the release is like on the acceptance set, heard for as long as the statistics are about."""
    words = [words_until(call, HEARD_FOR_SECONDS) for call in acceptance]
    scores = OnnxDetector.load(exported).score_batch(words)
    calibration, thresholds = judge.calibrate(base.parameters)
    base_logits = score_calls(base, acceptance, HEARD_FOR_SECONDS)
    base_scores = calibrate_logits(base_logits, [*map(len, words)], calibration)
    after = JudgedModel(detector.parameters, scores, detector.thresholds)
    before = JudgedModel(base.parameters, base_scores, thresholds)
    known = detector.vocabulary
    unknown_words = None if known is None else [known.unknown_share(heard) for heard in words]
    judged = Judged(after, [call.label for call in acceptance], judge.accept(detector.parameters), unknown_words)
    return make_profile(VERSION, int(time.time()), chosen, judged, describe_change(0, before, after))


def _publish(registry: Registry, exported: Path, profile: ReleaseProfile, keys: Path) -> bytes:
    offline, online = create_keys(keys / "offline", OFFLINE_ROLES), create_keys(keys / "online", ONLINE_ROLES)
    root = create_repository(registry, offline, online)
    publish_release(registry, online, exported, VERSION, profile=profile)
    return root
