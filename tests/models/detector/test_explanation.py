from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detector.evidence import EvidenceFinder
from models.detector.explanation import Finding, TemplateExplainer
from models.domain.release import Verdict

WARNINGS = (Verdict.SUSPICIOUS, Verdict.DANGEROUS)
SYLLABLES = st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))


def finding(verdict: Verdict, said: str, *tokens: str) -> Finding:
    finder = EvidenceFinder()
    finder.hear(said.split())
    return Finding(verdict, tokens, finder.found, said.split())


def explain(verdict: Verdict, said: str, *tokens: str) -> str:
    return TemplateExplainer().explain(finding(verdict, said, *tokens))


def test_the_reason_tells_who_calls_what_is_asked_and_which_pressure_is_used() -> None:
    said = "중앙지검 수사관입니다 안전계좌로 이체해 주셔야 하고 안 하시면 구속됩니다"
    assert explain(Verdict.DANGEROUS, said, "중앙지검", "안전계좌로") == (
        "보이스피싱일 가능성이 높습니다. "
        "검찰을 내세우고 안전 계좌로의 이체와 송금을 요구하며 체포·구속으로 압박하는 말이 들렸습니다. "
        "판단에는 ‘중앙지검’, ‘안전계좌로’가 가장 크게 작용했습니다. "
        "전화를 끊고 공식 대표 번호로 직접 확인하세요."
    )


def test_who_is_claimed_goes_by_rank_not_by_how_often_a_bank_is_named() -> None:
    said = "검찰청인데요 국민은행 신한은행 농협 택배"
    assert "검찰과 은행을 내세우는 말이" in explain(Verdict.DANGEROUS, said)


def test_a_lure_is_told_as_a_lure() -> None:
    assert "은행을 내세우며 낮은 금리를 미끼로 쓰는 말이 들렸습니다." in explain(
        Verdict.SUSPICIOUS, "국민은행입니다 저금리로 바꿔 드려요"
    )


def test_one_kind_of_evidence_makes_one_phrase() -> None:
    assert "앱 설치를 요구하는 말이 들렸습니다." in explain(Verdict.SUSPICIOUS, "어플 깔아 주세요")


def test_a_warning_without_evidence_says_that_only_the_flow_is_alike() -> None:
    assert "말의 흐름이 보이스피싱과 비슷합니다." in explain(Verdict.SUSPICIOUS, "내일 점심에 만나요", "점심에")


def test_a_normal_call_with_evidence_names_it_and_doesnt_warn() -> None:
    reason = explain(Verdict.NORMAL, "네 안녕하세요 국민은행 고객센터입니다 반갑습니다")
    assert reason.startswith("은행, 고객 센터에 관한 말이 들렸지만")
    assert "끊고" not in reason


def test_a_normal_call_without_evidence_says_that_nothing_was_heard() -> None:
    assert explain(Verdict.NORMAL, "점심 먹었어 나는 아직 안") == "보이스피싱에서 흔한 요구나 압박은 들리지 않았습니다."


def test_before_the_first_word_nothing_is_judged() -> None:
    assert explain(Verdict.NORMAL, "") == "아직 들린 말이 없어 판단하지 않았습니다."


def test_of_a_few_words_without_a_warning_nothing_is_said() -> None:
    assert (
        explain(Verdict.NORMAL, "여보세요 검찰청인데요", "검찰청인데요") == "아직 들린 말이 적어 판단하지 않았습니다."
    )


@pytest.mark.parametrize(
    ("token", "particle"), [("통장", "이"), ("계좌", "가"), ("OTP", "가"), ("100", "이"), ("URL", "이")]
)
def test_the_particle_after_the_key_tokens_is_right(token: str, particle: str) -> None:
    assert f"‘{token}’{particle} 가장 크게" in explain(Verdict.SUSPICIOUS, "말", token)


@given(
    st.lists(st.text(SYLLABLES, min_size=2, max_size=5), min_size=1, max_size=30),
    st.sampled_from(Verdict),
    st.integers(0, 5),
)
def test_every_call_gets_a_reason_without_any_word_but_its_key_tokens(
    words: list[str], verdict: Verdict, tokens: int
) -> None:
    heard = " ".join([*words, "네", "검찰", "계좌번호", "지금바로"])
    told = finding(verdict, heard, *words[:tokens])
    # The same evidence and key tokens with all other words gone: nothing else can have come from the call.
    bare = Finding(verdict, told.key_tokens, told.evidence, ["말"] * len(told.words))
    reason = TemplateExplainer().explain(told)
    assert reason == TemplateExplainer().explain(bare)
    assert reason.endswith(".")
    assert ("보이스피싱일" in reason) == (verdict in WARNINGS)
    assert all(f"‘{token}’" in reason for token in told.key_tokens)


def test_a_finding_shows_no_word_of_the_call_when_it_is_printed() -> None:
    assert "비밀스러운" not in repr(finding(Verdict.NORMAL, "비밀스러운 이야기"))
