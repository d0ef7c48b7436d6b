from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulations.report.page import render_report
from tests.simulations.report.chromium import CHROMIUM, Page, open_page
from tests.simulations.report.example import example_content

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the page is not looked at")

SMALLEST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of ordinary size."""

CONTRASTS = """(() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const parse = s => (s.match(/[\\d.]+/g) || []).map(Number);
  const paints = c => c.length && (c.length < 4 || c[3] > 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (paints(c)) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility()) continue;
    const style = getComputedStyle(e), front = parse(e.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [a, b] = [light(front), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < LIMIT) bad.push(e.textContent.trim().slice(0, 40) + " " + style.color);
  }
  return bad;
})()""".replace("LIMIT", str(SMALLEST_CONTRAST))


COLOURS = """[
  getComputedStyle(document.body).backgroundColor,
  getComputedStyle(document.querySelector("svg text")).fill,
]"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("report")
    (folder / "report.html").write_text(render_report(example_content()), encoding="utf-8")
    with open_page(folder / "report.html", folder / "profile") as page:
        yield page


def test_the_browser_asks_for_nothing_and_its_policy_refuses_nothing(browser: Page) -> None:
    browser.show(1200)
    requests = [event["params"] for event in browser.events if event["method"] == "Network.requestWillBeSent"]
    asked = [request["request"]["url"] for request in requests]
    assert len(asked) == 1
    assert asked[0].startswith("file:")
    assert [event for event in browser.events if event["method"] == "Log.entryAdded"] == []


@pytest.mark.parametrize("width", [320, 380, 768, 1200])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_width_makes_the_reader_scroll_sideways(browser: Page, width: int, language: str) -> None:
    browser.show(width)
    browser.measure(f"document.getElementById('choose-{language}').click()")
    assert browser.measure("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
def test_every_word_stands_out_from_what_is_behind_it(browser: Page, dark: bool) -> None:
    browser.show(1200, dark=dark)
    browser.measure("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.measure(CONTRASTS) == []


def test_dark_mode_darkens_the_page_and_lightens_the_pictures(browser: Page) -> None:
    measured = []
    for dark in (False, True):
        browser.show(1200, dark=dark)
        measured.append(browser.measure(COLOURS))
    assert measured[0][0] == "rgb(255, 255, 255)"
    assert measured[0] != measured[1]


def test_the_language_changes_without_a_script(browser: Page) -> None:
    shown = {}
    for language in ("en", "ko"):
        browser.measure(f"document.getElementById('choose-{language}').click()")
        shown[language] = browser.measure("document.body.innerText")
    assert "Did it help?" in shown["en"]
    assert "도움이 되었나" not in shown["en"]
    assert "도움이 되었나" in shown["ko"]
    assert "Did it help?" not in shown["ko"]
    assert "상품권" in shown["en"], "the call and the reason stay Korean"


def test_a_word_of_the_field_is_explained_when_it_gets_the_focus(browser: Page) -> None:
    browser.measure("document.getElementById('choose-en').click()")
    assert browser.measure("[...document.querySelectorAll('.tip')].some(t => t.checkVisibility())") is False
    browser.measure("document.querySelector('.in-en .term').focus()")
    assert browser.measure("document.querySelector('.in-en .term .tip').checkVisibility()") is True


def test_it_prints(browser: Page) -> None:
    assert browser.printed().startswith(b"%PDF")
