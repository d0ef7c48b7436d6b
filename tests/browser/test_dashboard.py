"""The dashboard in Chromium, served by the real process: drawn, operated and read as operators do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.app import create_app
from api.database import migrate_database
from api.keys import load_keys, make_keys
from api.operator.drift import measure_new_figures
from api.people.service import create_operator
from api.process import running_api
from api.settings import Settings
from simulations.half_a_year import fill_database, fill_registry
from tests.api.people import PASSWORD
from tests.simulations.report.chromium import CHROMIUM, Page, open_page
from tests.simulations.report.test_browser import CONTRASTS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the dashboard is not looked at")

NAME = "the-operator"
PAGES = (
    "",
    "calls",
    "drift",
    "model",
    "rounds",
    "releases",
    "audit",
    "releases/roll-back?version=1&rollout_percent=50",
)
DRAWN = "new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))"
INJECTION = """(() => {
  const script = document.createElement("script");
  try { script.text = "window.got = 1"; document.body.append(script); } catch {}
  return window.got ?? 0;
})()"""
NAMED = """[...document.querySelectorAll(".plot")].every(plot =>
  ["aria-labelledby", "aria-describedby"].every(name =>
    document.getElementById(plot.getAttribute(name)).textContent.trim()))"""
MIDDLE = """(() => {
  const plot = document.querySelector(".u-over");
  plot.scrollIntoView({ block: "center", behavior: "instant" });
  const place = plot.getBoundingClientRect();
  return [place.x + place.width / 2, place.y + place.height / 2];
})()"""
FOCUSED = "document.activeElement.getAttribute('href') ?? document.activeElement.tagName"
CHARTS = {"": 1, "calls": 3, "drift": 8, "model": 2, "rounds": 4}


class Visitor:
    """A person before the browser."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address

    def open(self, path: str) -> None:
        self.page.events.clear()
        self.page.call("Page.navigate", url=f"{self.address}/operator/{path}")
        self.page.wait_for("Page.loadEventFired")

    def act(self, script: str) -> None:
        """Do what leads to another page."""
        self.page.events.clear()
        self.page.measure(script)
        self.page.wait_for("Page.loadEventFired")

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.page.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    def complaints(self) -> list[str]:
        told = [event["params"]["entry"]["text"] for event in self.page.events if event["method"] == "Log.entryAdded"]
        return told + [str(event) for event in self.page.events if event["method"] == "Runtime.exceptionThrown"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, now = tmp_path_factory.mktemp("platform"), datetime.now(UTC)
    make_keys(folder / "keys")
    database = f"sqlite:///{folder}/api.db"
    context = create_app(Settings(database, folder / "registry", load_keys(folder / "keys"))).state.context
    migrate_database(context.engine)
    create_operator(context, NAME, PASSWORD)
    fill_registry(folder, now, rounds=30)
    fill_database(context.engine, now, weeks=8)
    measure_new_figures(context)
    context.engine.dispose()
    with running_api(database, folder / "registry", folder / "keys", folder / "api.log") as url:
        yield url


@pytest.fixture(scope="module")
def visitor(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with open_page(f"{address}/operator/", Path(tmp_path_factory.mktemp("profile"))) as page:
        visitor = Visitor(page, address)
        assert page.measure("location.pathname") == "/operator/login"
        page.measure(f"document.getElementById('name').value = '{NAME}'")
        page.measure(f"document.getElementById('password').value = '{PASSWORD}'")
        visitor.act("document.querySelector('form.stack button').click()")
        assert page.measure("location.pathname") == "/operator/"
        yield visitor


@pytest.mark.parametrize("path", PAGES)
def test_pages_ask_nobody_else_and_the_policy_refuses_nothing(visitor: Visitor, path: str) -> None:
    visitor.page.show(1200)
    visitor.open(path)
    asked = [
        event["params"]["request"]["url"]
        for event in visitor.page.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert [url for url in asked if not url.startswith(visitor.address)] == []
    assert visitor.complaints() == []
    assert visitor.page.measure("document.querySelectorAll('.plot canvas').length") == CHARTS.get(path, 0)


def test_a_script_that_gets_into_a_page_does_not_run(visitor: Visitor) -> None:
    visitor.open("")
    inline = (
        "const s = document.createElement('script'); s.text = 'window.got = 1'; document.body.append(s); window.got"
    )
    assert visitor.page.measure(f"(() => {{ try {{ {inline} }} catch {{ }} return window.got ?? 0; }})()") == 0
    assert visitor.page.measure("document.cookie") == ""


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [320, 1200])
def test_no_width_makes_the_reader_scroll_sideways(visitor: Visitor, width: int, language: str) -> None:
    visitor.page.show(width)
    visitor.open("")
    visitor.act(f"document.querySelector('button[value={language}]').click()")
    assert visitor.page.measure("document.documentElement.lang") == language
    wide = {}
    for path in PAGES:
        visitor.open(path)
        wide[path] = visitor.page.measure("document.documentElement.scrollWidth")
    assert {path: found for path, found in wide.items() if found > width} == {}


@pytest.mark.parametrize("dark", [False, True])
def test_every_word_stands_out_from_what_is_behind_it(visitor: Visitor, dark: bool) -> None:
    visitor.page.show(1200, dark=dark)
    for path in PAGES:
        visitor.open(path)
        visitor.page.measure("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert visitor.page.measure(CONTRASTS) == [], path


def test_charts_follow_dark_and_light_and_say_what_they_show(visitor: Visitor) -> None:
    visitor.page.show(1200)
    visitor.open("drift")
    pictures = []
    for dark in (False, True):
        visitor.page.show(1200, dark=dark)
        visitor.page.wait_and_measure(DRAWN)
        pictures.append(visitor.page.measure("document.querySelector('.plot canvas').toDataURL()"))
    assert pictures[0] != pictures[1]
    assert visitor.page.measure(NAMED) is True


def test_pointing_at_a_chart_tells_its_figures(visitor: Visitor) -> None:
    visitor.page.show(1200)
    visitor.open("drift")
    at = visitor.page.measure(MIDDLE)
    visitor.page.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
    visitor.page.wait_and_measure(DRAWN)
    assert "W" in visitor.page.measure("document.querySelector('.readout').textContent")


def test_the_keyboard_reaches_the_content_the_pages_and_the_figures(visitor: Visitor) -> None:
    visitor.page.show(1200)
    visitor.open("drift")
    visitor.press("Tab", 9)
    assert visitor.page.measure("document.activeElement.getAttribute('href')") == "#main"
    seen = set()
    for _ in range(60):
        visitor.press("Tab", 9)
        seen.add(visitor.page.measure(FOCUSED))
    assert {"/operator/audit", "BUTTON", "SUMMARY"} <= seen


def test_without_scripts_the_figures_are_there_as_tables(visitor: Visitor) -> None:
    visitor.page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        visitor.open("drift")
        visitor.page.call("Emulation.setScriptExecutionDisabled", value=False)
        assert visitor.page.measure("document.querySelectorAll('canvas').length") == 0
        assert visitor.page.measure("document.querySelectorAll('figure.chart td[data-value]').length") > 100
    finally:
        visitor.page.call("Emulation.setScriptExecutionDisabled", value=False)


def test_an_operator_rolls_back_by_typing_the_release_once_more(visitor: Visitor) -> None:
    visitor.open("releases")
    if visitor.page.measure("document.documentElement.lang") != "en":
        visitor.act("document.querySelector('button[value=en]').click()")
    visitor.act("document.querySelector('form[action$=\"roll-back\"] button').click()")
    assert "published again" in visitor.page.measure("document.querySelector('main').innerText")
    visitor.page.measure("document.getElementById('typed').value = '2'")
    visitor.page.measure("document.querySelector('form.stack button').click()")
    assert visitor.page.measure("document.getElementById('typed').validity.valid") is False
    visitor.page.measure("document.getElementById('typed').value = '3'")
    visitor.act("document.querySelector('form.stack button').click()")
    assert visitor.page.measure("location.pathname") == "/operator/releases"
    assert "pending" in visitor.page.measure("document.querySelector('main').innerText")
    visitor.open("audit")
    assert "rollback ordered" in visitor.page.measure("document.querySelector('main').innerText")


def test_logging_out_ends_it(visitor: Visitor) -> None:
    visitor.open("")
    visitor.act("document.querySelector('form[action$=\"logout\"] button').click()")
    assert visitor.page.measure("location.pathname") == "/operator/login"
    visitor.open("audit")
    assert visitor.page.measure("location.pathname") == "/operator/login"
