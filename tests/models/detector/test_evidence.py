from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detector.evidence import Aspect, EvidenceFinder, load_lexicon

WORDS = st.lists(
    st.sampled_from(
        [
            "검찰",
            "입니다",
            "중앙",
            "지검",
            "금",
            "감원",
            "안전",
            "계좌",
            "로",
            "계좌번호",
            "명의",
            "도용",
            "국민은행",
            "에서",
            "지금",
            "바로",
            "네",
            "설치",
            "하",
            "세요",
            "돈은",
            "행동",
        ]
    ),
    max_size=40,
)


def find(*pieces: str) -> list[str]:
    finder = EvidenceFinder()
    for piece in pieces:
        finder.hear(piece.split())
    return [evidence.name for evidence in finder.found]


def test_nothing_heard_is_no_evidence() -> None:
    assert find() == []
    assert find("") == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("서울중앙지검 김 수사관입니다", "검찰"),
        ("국민은행 대출 상담 센터입니다", "은행"),
        ("안전 계좌로 옮기셔야 합니다", "안전 계좌로의 이체"),
        ("주민 등록 번호 불러 주세요", "개인 정보"),
        ("앱을 하나 설치하시면 됩니다", "앱 설치"),
        ("명의가 도용됐습니다", "범죄 연루"),
        ("아무한테도 발설하시면 안 됩니다", "비밀 유지"),
        ("저금리로 바꿔 드립니다", "낮은 금리"),
    ],
)
def test_what_people_say_is_found(said: str, expected: str) -> None:
    assert expected in find(said)


@pytest.mark.parametrize("said", ["금융 감독원", "금융감독원", "금융감 독원에서", "금 융 감 독 원"])
def test_wrong_spacing_hides_nothing(said: str) -> None:
    assert find(said) == ["금융감독원"]


@pytest.mark.parametrize("said", ["돈은 행동으로 말한다", "점심 먹고 산책했어", "내검찰"])
def test_letters_that_only_meet_by_chance_are_not_evidence(said: str) -> None:
    assert find(said) == []


def test_the_most_frequent_comes_first() -> None:
    assert find("경찰 검찰 검찰") == ["검찰", "경찰"]


def test_equally_frequent_evidence_keeps_the_lexicons_order() -> None:
    assert find("경찰 검찰") == ["검찰", "경찰"]


def test_evidence_that_two_windows_cut_apart_is_found() -> None:
    assert find("금융", "감독원") == ["금융감독원"]


@given(WORDS, st.data())
def test_however_a_call_is_cut_the_evidence_is_the_same(words: list[str], data: st.DataObject) -> None:
    whole, growing = EvidenceFinder(), EvidenceFinder()
    whole.hear(words)
    at = 0
    while at < len(words):
        step = data.draw(st.integers(1, 7))
        growing.hear(words[at : at + step])
        at += step
    assert growing.found == whole.found


@given(WORDS)
def test_asking_twice_changes_nothing(words: list[str]) -> None:
    finder = EvidenceFinder()
    finder.hear(words)
    assert finder.found == finder.found


def test_every_kind_can_be_found_by_each_of_its_patterns() -> None:
    lexicon = load_lexicon()
    patterns = [pattern for group in (*lexicon.beginning.values(), lexicon.inside) for pattern in group]
    for text, evidence in patterns:
        assert len(text) >= 2, text
        assert evidence.name in find(text), text
    kinds = {evidence for _, evidence in patterns}
    assert {kind.aspect for kind in kinds} == set(Aspect)
    assert len({kind.name for kind in kinds}) == len(kinds) > 30
