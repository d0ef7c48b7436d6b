from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.call import ScamType, Segment
from models.domain.privacy import Adversary, PrivacyMode, PrivacyUnit
from models.domain.release import Verdict
from models.domain.statistic import METRICS
from models.page.wording import metric_text, value_text
from simulations.report.content import ReportContent, RoundOutcome
from simulations.report.glossary import GLOSSARY
from simulations.report.page import render_report
from simulations.report.wording import simulated_mark
from simulations.run_command import _privacy
from tests.simulations.report.example import (
    UNSEEN,
    example_content,
    example_release,
    example_statement,
    example_statistics,
)

VOID = {"meta", "input", "link", "br", "img", "hr"}
LOADING = {"src", "href", "srcset", "action", "data", "poster", "formaction", "background", "xlink:href"}
HOSTILE = '</style></title><script>alert(1)</script><img src="https://evil.example/x" onerror=alert(1)>&"\''


class Elements(HTMLParser):
    """Every element with its attributes and its parents, the words, and whether the nesting is sound."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(example_content())


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def test_nothing_is_loaded_from_outside_and_no_script_stands_in_the_page(elements: Elements) -> None:
    assert_harmless(elements)


def assert_harmless(elements: Elements) -> None:
    for tag, attributes in elements.found:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "base", "form", "image"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name != "style", "the policy would refuse it"
            assert name not in LOADING or str(value).startswith("#"), (tag, name, value)


def test_the_style_sheet_loads_nothing_and_is_the_only_thing_that_the_policy_allows(
    page: str, elements: Elements
) -> None:
    sheets = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(sheets) == 1
    assert not re.search(r"@import|url\(|expression", sheets[0])
    digest = base64.b64encode(hashlib.sha256(sheets[0].encode()).digest()).decode()
    [policy] = [str(meta["content"]) for meta in elements.named("meta") if "http-equiv" in meta]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_page_of_a_hundred_rounds_is_small() -> None:
    content = example_content()
    many = replace(content, rounds=tuple(replace_number(content, number) for number in range(1, 101)))
    assert len(render_report(many).encode()) < 1_500_000


def replace_number(content: ReportContent, number: int) -> RoundOutcome:
    outcome = content.rounds[number % len(content.rounds)]
    return replace(outcome, report=replace(outcome.report, number=number))


def test_equal_content_gives_an_equal_page(page: str) -> None:
    assert render_report(example_content()) == page


def test_hostile_text_stays_text_wherever_it_can_stand() -> None:
    content = example_content()
    assert content.release is not None
    assert content.detection is not None
    window = replace(content.detection.windows[0], reason=HOSTILE, key_tokens=(HOSTILE,))
    call = replace(content.detection.call, segments=(Segment(0.0, 1.0, HOSTILE),))
    hostile = replace(
        content,
        run=replace(content.run, title=HOSTILE, scenario=HOSTILE, settings={HOSTILE: HOSTILE}),
        privacy=tuple(replace(s, accountant=HOSTILE, sampler=HOSTILE) for s in content.privacy),
        release=replace(
            content.release,
            version=HOSTILE,
            files=tuple(replace(file, name=HOSTILE) for file in content.release.files),
            gate=tuple(replace(g, name=HOSTILE, measured=HOSTILE, required=HOSTILE) for g in content.release.gate),
        ),
        detection=replace(content.detection, call=call, windows=(window,)),
    )
    elements = Elements(render_report(hostile))
    assert_harmless(elements)
    assert HOSTILE in "".join(elements.words)


@settings(max_examples=15)
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40))
def test_any_title_is_shown_as_it_is_and_breaks_nothing(text: str) -> None:
    content = example_content()
    lean = replace(
        content, run=replace(content.run, title=text), detection=None, statistics=(), rounds=content.rounds[:1]
    )
    elements = Elements(render_report(lean))
    assert_harmless(elements)
    assert text in elements.words


def test_every_simulated_epsilon_is_marked_where_it_stands(page: str) -> None:
    statement = example_statement(Adversary.RECIPIENTS, 1.44)
    mark = simulated_mark(statement)
    assert mark is not None
    assert mark.en == "simulated: stands for a cohort of 1,000; 50 really ran"
    # lede, tile, heading, picture, its description of two lines, two cards and two columns of the table of rounds
    assert page.count(mark.en) == 10
    assert page.count(mark.ko) == 10


def test_a_tiny_epsilon_does_not_read_as_none() -> None:
    tiny = tuple(replace(statement, epsilon=0.00321) for statement in example_content().privacy)
    content = replace(example_content(), privacy=tiny)
    assert render_report(content).count("0.0032") >= 4  # lede, tile and two cards
    assert all("epsilon 0.0032 at delta" in line for line in _privacy(content))


def test_an_exact_epsilon_bears_no_mark() -> None:
    exact = tuple(replace(statement, simulated=None) for statement in example_content().privacy)
    assert "simulated: stands" not in render_report(replace(example_content(), privacy=exact))


def test_what_only_the_simulator_can_know_is_said_to_be_so(elements: Elements) -> None:
    assert "".join(elements.words).count("known to the simulator only") >= 4


def test_a_run_without_privacy_release_detection_and_statistics_has_a_page_that_says_so() -> None:
    content = example_content()
    bare = replace(
        content,
        run=replace(content.run, privacy=PrivacyMode.NONE, unseen_type=None),
        rounds=tuple(replace(outcome, spent=(), norms=None) for outcome in content.rounds[:1]),
        privacy=(),
        release=None,
        detection=None,
        statistics=(),
    )
    words = "".join(Elements(render_report(bare)).words)
    assert "This run protected nobody" in words
    assert "None" not in words


def test_a_secure_round_shows_that_it_was_aborted_and_how_many_clipped_without_anybodys_norm() -> None:
    content = example_content()
    first, second = content.rounds[:2]
    aborted = replace(first, norms=None, report=replace(first.report, aborted="too few signatures"))
    summed = replace(second, norms=None, report=replace(second.report, clipped_share=0.42, wrong_shares=2))
    words = "".join(Elements(render_report(replace(content, rounds=(aborted, summed)))).words)
    assert "secure round aborted" in words
    assert "42% (noised)" in words
    assert "wrong shares 2" in words


def test_a_calls_figure_counts_calls_and_no_devices() -> None:
    call = replace(example_statement(Adversary.RECIPIENTS, 1.44), unit=PrivacyUnit.CALL)
    content = example_content()
    rounds = tuple(replace(outcome, spent=()) for outcome in content.rounds)
    page = render_report(replace(content, rounds=rounds, privacy=(call,)))
    terms = re.findall("<dt>(.*?)</dt>", page)
    assert any("Calls on the device" in term for term in terms)
    assert not any("Population" in term for term in terms)


def test_every_value_of_every_question_has_words_in_both_languages() -> None:
    for metric in METRICS.values():
        assert metric_text(metric.name).ko
        assert all(value_text(value).ko != value for value in metric.values)


def test_questions_whose_answers_are_drawn_have_pictures_and_the_others_tables(page: str) -> None:
    told = example_statistics()
    answers = tuple(
        replace(
            told,
            metric=metric,
            true_shares=dict.fromkeys(metric.values, 1 / len(metric.values)),
            received_shares=dict.fromkeys(metric.values, 1 / len(metric.values)),
            estimates=None,
        )
        for metric in METRICS.values()
    )
    many = render_report(replace(example_content(), statistics=answers))
    Elements(many)
    assert page.count('id="statistics-verdict-table"') == 1
    for metric in METRICS.values():
        assert many.count(f'id="statistics-{metric.name}-table"') == 1
    assert [f'id="statistics-{name}-text"' in many for name in ("verdict", "scam_type", "score")] == [True, True, False]


def test_figures_below_the_threshold_are_withheld() -> None:
    words = "".join(
        Elements(render_report(replace(example_content(), statistics=(example_statistics(released=False),)))).words
    )
    assert "The API released nothing: 43 answers came, and a question needs 50" in words
    assert words.count("withheld") == 4


def test_a_refused_model_is_not_called_released() -> None:
    content = replace(example_content(), release=example_release(passed=False))
    words = "".join(Elements(render_report(content)).words)
    assert "Nothing was released: the gate refused the model for its F1 0.842" in words
    assert "passed its gate" not in words


def test_ids_are_unique_and_every_reference_finds_its_element(elements: Elements) -> None:
    ids = [str(attributes["id"]) for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements.found:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set(str(attributes.get(name) or "").split()) <= set(ids)
        for name in ("href", "clip-path"):
            for reference in re.findall(r"#([\w.-]+)", str(attributes.get(name) or "")):
                assert reference in ids


def test_readers_of_the_page_by_ear_get_what_the_eye_gets(elements: Elements) -> None:
    [html] = elements.named("html")
    assert html["lang"] == "en"
    pictures = elements.named("svg")
    assert len(pictures) == 7
    assert all({"role", "aria-labelledby", "aria-describedby"} <= set(picture) for picture in pictures)
    assert all(header.get("scope") in {"col", "row"} for header in elements.named("th"))
    assert len(elements.named("caption")) == len(elements.named("table"))
    headings = [int(tag[1]) for tag, _ in elements.found if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(headings))


def test_both_languages_stand_in_the_page_and_it_opens_in_the_one_asked_for() -> None:
    korean = Elements(render_report(example_content(), "ko"))
    assert korean.named("html")[0]["lang"] == "ko"
    assert [choice["id"] for choice in korean.named("input") if "checked" in choice] == ["choose-ko"]
    classes = [str(attributes.get("class")).split()[-1] for _, attributes in korean.found if "class" in attributes]
    assert classes.count("in-en") == classes.count("in-ko") > 100


def test_every_word_of_the_glossary_is_explained_where_it_is_first_used(page: str) -> None:
    used = set(re.findall(r'aria-describedby="meaning-([\w-]+)"', page))
    assert used <= set(GLOSSARY)
    assert {"round", "epsilon", "recall", "recipients", "gate", "int8", "randomised-response"} <= used


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("unseen", [None, UNSEEN, ScamType.UNKNOWN])
def test_a_page_comes_out_whatever_the_verdict_and_the_unseen_type(verdict: Verdict, unseen: ScamType | None) -> None:
    content = example_content()
    assert content.detection is not None
    windows = tuple(replace(window, verdict=verdict, key_tokens=()) for window in content.detection.windows)
    other = replace(
        content, run=replace(content.run, unseen_type=unseen), detection=replace(content.detection, windows=windows)
    )
    assert_harmless(Elements(render_report(other)))
