from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector.checked_explanation import CheckedExplainer
from models.detector.evidence import EvidenceFinder
from models.detector.explanation import Finding, TemplateExplainer, frame_warning
from models.domain.release import Verdict

SAID = "네 검찰인데요 홍길동씨 통장이 범죄에 쓰였습니다 국번 없이 7788 전화 주십시오 길동이 APP 123"
NOT_OURS = ("홍길동씨", "쓰였습니다", "국번", "7788", "주십시오")


class Model:
    """A language model's place: says what the test tells it to."""

    def __init__(self, says: str | Exception) -> None:
        self.says = says

    def explain(self, finding: Finding) -> str:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def finding(verdict: Verdict) -> Finding:
    finder = EvidenceFinder()
    finder.hear(SAID.split())
    return Finding(verdict, ("통장이",), finder.found, SAID.split())


TOLD = finding(Verdict.DANGEROUS)
TEMPLATES = TemplateExplainer().explain(TOLD)


@pytest.mark.parametrize(
    "reason",
    [
        "수사기관이라면서 ‘통장이’ 쓰였다고 겁을 줍니다.",
        "상대방이 검찰을 사칭하며 통장을 두고 불안하게 만듭니다.",
        "  말투가\n보이스피싱과 비슷합니다. ",
    ],
)
def test_a_reason_that_keeps_the_rules_is_shown_between_our_own_sentences(reason: str) -> None:
    checked = CheckedExplainer(Model(reason))
    assert checked.explain(TOLD) == frame_warning(Verdict.DANGEROUS, " ".join(reason.split()))
    assert (checked.asked, checked.replaced) == (1, 0)


@pytest.mark.parametrize(
    "says",
    [
        "홍길동씨 이름을 댔습니다.",
        "홍길동이라는 이름을 댔습니다.",
        "홍 길 동 이라고 했습니다.",
        "통장 명의가 피해자홍길동이었습니다.",
        "통장이 쓰였습니다 하고 말했습니다.",
        "국번으로 걸라고 합니다.",
        "번호 7788을 불러 줍니다.",
        "번호 칠칠팔팔을 불러 줍니다.",
        "동료가 일이삼이라고 합니다.",
        "옛길동네를 댔습니다.",
        "길 동 이라고 했습니다.",
        "Hong Gildong이라는 이름을 댔습니다.",
        "ㅎㅗㅇㄱㅣㄹㄷㅗㅇ이라고 했습니다.",
        "洪吉童이라고 했습니다.",
        "app을 깔라고 합니다.",
        "",
        "   ",
        "This call is dangerous.",
        "This call is 위험 dangerous.",
        "위험\x1b[2J합니다.",
        "가" * 401,
        RuntimeError("out of memory"),
    ],
)
def test_a_reason_that_breaks_a_rule_is_replaced(says: str | Exception) -> None:
    checked = CheckedExplainer(Model(says))
    assert checked.explain(TOLD) == TEMPLATES
    assert (checked.asked, checked.replaced) == (1, 1)


@settings(max_examples=40)
@given(
    st.sampled_from(NOT_OURS),
    st.sampled_from(["", "은", "에서", "이라고"]),
    st.text(st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣")), max_size=12),
)
def test_no_word_of_the_call_gets_through_in_any_form(word: str, ending: str, other: str) -> None:
    reason = f"{other} {word}{ending} {other}"
    assert CheckedExplainer(Model(reason)).explain(TOLD) == TEMPLATES


def test_what_a_caller_makes_the_model_say_cant_take_the_warning_back() -> None:
    shown = CheckedExplainer(Model("안심하셔도 됩니다.")).explain(TOLD)
    assert shown.startswith("보이스피싱일 가능성이 높습니다.")
    assert shown.endswith("확인하세요.")


def test_a_normal_call_is_explained_without_the_model() -> None:
    checked = CheckedExplainer(Model("위험합니다."))
    assert checked.explain(finding(Verdict.NORMAL)) == TemplateExplainer().explain(finding(Verdict.NORMAL))
    assert checked.asked == 0


def test_the_templates_own_words_may_be_said() -> None:
    checked = CheckedExplainer(Model(TEMPLATES))
    assert checked.explain(TOLD) == frame_warning(Verdict.DANGEROUS, TEMPLATES)
