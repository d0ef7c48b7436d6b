"""Chromium over its debugging pipe: no driver and no port, so that nothing but the browser has to be installed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
]


@dataclass
class Page:
    """One tab. ``events`` holds everything that the browser told of, such as requests and refused styles."""

    reader: Any
    writer: Any
    session: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.sent += 1
        message: dict[str, Any] = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        while (answer := self._receive()).get("id") != self.sent:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait_for(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._receive())

    def close(self) -> None:
        """Ask the whole browser to end, so that no child of it still writes into the profile."""
        self.session = ""
        with suppress(RuntimeError):  # it may have ended before it answered
            self.call("Browser.close")

    def _receive(self) -> dict[str, Any]:
        received = bytearray()
        while (byte := self.reader.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium ended")
            received += byte
        return json.loads(received)

    def measure(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_and_measure(self, expression: str) -> Any:
        """Return what a promise comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"].get("exception", {}).get("description")))
        return answer["result"].get("value")

    def show(self, width: int, *, dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )

    def picture(self) -> bytes:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, **self._whole())
        return base64.b64decode(shot["data"])

    def _whole(self) -> dict[str, Any]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def printed(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])


@contextmanager
def open_page(address: str | Path, profile: Path) -> Iterator[Page]:
    """Open a file or a page in a browser of its own and wait until it is loaded."""
    if CHROMIUM is None:
        raise RuntimeError("there is no Chromium")
    commands, commands_out = os.pipe()
    answers_in, answers = os.pipe()
    shell = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
    command = ["bash", "-c", shell, CHROMIUM, *FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        command, pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(commands)
    os.close(answers)
    with os.fdopen(answers_in, "rb") as reader, os.fdopen(commands_out, "wb") as writer:
        page = Page(reader, writer)
        try:
            _load(page, address.as_uri() if isinstance(address, Path) else address)
            yield page
        finally:
            page.close()
            process.wait(timeout=120)


def _load(page: Page, address: str) -> None:
    target = page.call("Target.createTarget", url="about:blank")["targetId"]
    page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        page.call(f"{domain}.enable")
    page.events.clear()
    page.call("Page.navigate", url=address)
    page.wait_for("Page.loadEventFired")
