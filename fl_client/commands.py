"""The device's commands, without torch: detect and update."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from fl_client.detection import TEMPLATES, Judgement, earliest_warning, judge_call
from fl_client.local_model import LocalModel
from models.command import console, print_json
from models.corpus.reader import read_calls
from models.detector.checked_explanation import CheckedExplainer
from models.detector.explanation import VERDICT_NAMES
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector
from models.domain.call import Call
from models.domain.release import Verdict
from models.errors import CallFileError, ModelFileError

_COLOURS = {Verdict.NORMAL: "green", Verdict.SUSPICIOUS: "yellow", Verdict.DANGEROUS: "bold red"}


def detect_calls(
    model: Path, calls: Path, only: str | None, as_json: bool, local_model: LocalModel | None = None
) -> None:
    """Judge the calls of a file as they grow, or one of them, and print every judgement.

    Raises:
        CallFileError: The file can't be used, or holds no call of that id.
        ModelFileError: No detector loads from ``model``.
    """
    chosen = _choose(calls, only)
    detector = OnnxDetector.load(model)
    checked = None if local_model is None else CheckedExplainer(local_model)
    judged = ((call, list(judge_call(call, detector, checked or TEMPLATES))) for call in chosen)
    if as_json:
        print_json({"calls": [_call_as_json(call, judgements) for call, judgements in judged]})
    else:
        for call, judgements in judged:
            console.print(_call_as_table(call, judgements))
    if checked and checked.replaced:
        console.print(f"the language model gave no usable reason for {checked.replaced} of {checked.asked} warnings")


def update_device(base_url: str, home: Path, root: Path | None, ca_file: Path | None, as_json: bool) -> None:
    """Install the newest release that the device is offered, and say which one is in use.

    Raises:
        UsageError: No root is trusted yet, or the address isn't one of HTTP.
        UnreachableError: The server doesn't answer.
        SignatureRefusedError: What it sent isn't what was signed, is old, or has expired.
        ModelFileError: The root can't be read, or no detector loads from the release.
        BadInputError: The certificates to trust can't be read.
    """
    # Only here: TUF and HTTP take longer to load than a call to judge.
    from fl_client.release_download import BoundedFetcher
    from fl_client.releases import trust_root, update_release

    if root is not None:
        trust_root(home, _read_root(root))
    update = update_release(home, base_url, _try_release, fetcher=BoundedFetcher(ca_file=ca_file))
    installed = update.installed
    if as_json:
        place = None if installed is None else {"version": installed.version, "directory": str(installed.directory)}
        print_json({"installed": place, "changed": update.changed})
    elif installed is None:
        console.print("no release was published yet")
    else:
        console.print(f"release {installed.version} {'is now' if update.changed else 'was already'} in use")


def _try_release(directory: Path) -> None:
    for variant in (ModelVariant.INT8, ModelVariant.INT8_ORT):
        OnnxDetector.load(directory, variant)


def _choose(path: Path, only: str | None) -> Sequence[Call]:
    chosen = [call for call in read_calls(path) if only is None or call.id == only]
    if not chosen:
        raise CallFileError(path, None, f"there is no call {only!r} in the file")
    return chosen


def _read_root(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}") from error


def _call_as_json(call: Call, judgements: Sequence[Judgement]) -> dict[str, Any]:
    warning = earliest_warning(judgements)
    return {
        "id": call.id,
        "warned_at_seconds": None if warning is None else warning.seconds,
        "judgements": [
            {
                "seconds": judgement.seconds,
                "score": judgement.score,
                "verdict": judgement.verdict,
                "key_tokens": list(judgement.key_tokens),
                "reason": judgement.reason,
            }
            for judgement in judgements
        ],
    }


def _call_as_table(call: Call, judgements: Sequence[Judgement]) -> Table:
    table = Table(title=Text(f"통화 {call.id}"), title_justify="left", caption=_conclusion(judgements))
    for heading in ("초", "점수"):
        table.add_column(heading, justify="right")
    for heading in ("판정", "핵심어", "이유"):
        table.add_column(heading, overflow="fold")  # the default may lose a wide letter at a line's end
    for each in judgements:
        verdict = Text(VERDICT_NAMES[each.verdict], style=_COLOURS[each.verdict])
        tokens = Text(", ".join(each.key_tokens))
        table.add_row(f"{each.seconds:.0f}", f"{each.score:.2f}", verdict, tokens, Text(each.reason))
    return table


def _conclusion(judgements: Sequence[Judgement]) -> str:
    warning = earliest_warning(judgements)
    return "경고하지 않았습니다." if warning is None else f"{warning.seconds:.0f}초에 처음 경고했습니다."
