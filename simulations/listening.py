"""One device of its own process, without torch: it installs the release and listens to the demo's own call."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from models.corpus.generator import generate_calls
from models.corpus.reader import write_calls
from models.corpus.scenario import Scenario
from models.domain.call import Call, ScamType
from models.domain.release import Thresholds, Verdict
from models.errors import HearsayError
from simulations.report.product import CallDetection, WindowJudgement
from simulations.service import ApiAddress

DEMO_CALL_SEED = 20_261_101


class DeviceFailedError(HearsayError):
    """The device's process ended with an error."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device: its home folder and the root metadata that it was given by hand."""

    home: Path
    root: Path


def make_demo_call(scenarios: tuple[Scenario, ...], scam_type: ScamType, path: Path) -> Call:
    """Write the demo's own call, of the new type where there is a scenario of it, and return it."""
    of_type = tuple(scenario for scenario in scenarios if scenario.scam_type is scam_type)
    vishing = tuple(scenario for scenario in scenarios if scenario.scam_type is not ScamType.UNKNOWN)
    call = generate_calls(1, DEMO_CALL_SEED, vishing_share=1.0, scenarios=of_type or vishing)[0]
    write_calls(path, [call])
    return call


def install_release(device: Device, address: ApiAddress) -> Path:
    """Let the device fetch, verify and install the newest release, and return the folder that it is in.

    Raises:
        DeviceFailedError: It refused or couldn't; the message is the device's own.
    """
    trusted = [] if address.ca_file is None else ["--ca-file", str(address.ca_file)]
    given = ["--releases", address.url, "--home", str(device.home), "--root", str(device.root), *trusted]
    told = _run_device("update", *given, "--json")
    return Path(json.loads(told)["installed"]["directory"])


def listen(installed: Path, call: Call, path: Path, thresholds: Thresholds) -> CallDetection:
    """Let the device listen to the call as it grows.

    Raises:
        DeviceFailedError: It couldn't; the message is the device's own.
    """
    told = json.loads(_run_device("detect", "--model", str(installed), "--calls", str(path), "--json"))
    windows = tuple(
        WindowJudgement(
            seconds=judged["seconds"],
            score=judged["score"],
            verdict=Verdict(judged["verdict"]),
            key_tokens=tuple(judged["key_tokens"]),
            reason=judged["reason"],
        )
        for judged in told["calls"][0]["judgements"]
    )
    return CallDetection(call, thresholds, windows)


def _run_device(*command: str) -> str:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "fl_client", *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no word"]
        raise DeviceFailedError(f"the device's {command[0]} failed: {last[0]}")
    return done.stdout
