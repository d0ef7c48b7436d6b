from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detector.key_tokens import MOST_KEY_TOKENS, select_key_tokens
from models.text.empty_words import stem_of

EMPTY = [
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "에서",
    "으로",
    "까지",
    "네",
    "네네네",
    "예예",
    "음",
    "어어",
    "아니요",
    "그러니까",
    "저기",
    "여보세요",
    "알겠습니다",
    "ㅋㅋ",
    "그",
    "것",
]
TELLING = ["검찰청", "계좌", "송금", "체포", "비밀번호", "돈", "통장", "대출", "안전", "설치"]
MIXED = st.lists(st.tuples(st.sampled_from(EMPTY + TELLING), st.floats(0, 1)), max_size=60)


def test_the_words_with_most_attention_come_first() -> None:
    assert select_key_tokens(["계좌", "검찰청", "체포"], [0.2, 0.7, 0.1]) == ("검찰청", "계좌", "체포")


def test_there_are_five_at_most() -> None:
    assert select_key_tokens(TELLING, [0.1] * len(TELLING)) == tuple(TELLING[:5])


def test_a_words_attention_adds_up_over_its_places() -> None:
    assert select_key_tokens(["송금", "검찰청", "송금"], [0.3, 0.4, 0.3]) == ("송금", "검찰청")


def test_forms_that_differ_by_a_particle_are_one_word_shown_in_its_strongest_form() -> None:
    assert select_key_tokens(["계좌를", "계좌가", "계좌로", "체포"], [0.1, 0.3, 0.1, 0.45]) == ("계좌가", "체포")


@pytest.mark.parametrize(
    "forms",
    [
        "대출 대출이요 대출은요 대출인데요 대출이라고요 대출이고요 대출이죠 대출까지는",
        "계좌 계좌요 계좌로요 계좌로는 계좌에서는요 계좌고요 계좌니까",
        "OTP otp Otp를",
    ],
)
def test_a_word_in_other_forms_or_capitals_is_one_word(forms: str) -> None:
    words = forms.split()
    assert len(select_key_tokens(words, range(len(words)))) == 1


def test_equal_attention_goes_by_place() -> None:
    assert select_key_tokens(["통장", "대출", "송금"], [0.5, 0.5, 0.5]) == ("통장", "대출", "송금")


@pytest.mark.parametrize("word", [*EMPTY, "저기는", "그거를", "예예예예", "아아아", "ㅠㅠ", "늘"])
def test_a_word_that_says_nothing_is_never_a_key_token(word: str) -> None:
    assert select_key_tokens([word, "검찰청"], [1.0, 0.0]) == ("검찰청",)


@pytest.mark.parametrize(
    "word",
    [
        *("네네네에", "네맞아요", "그래그래", "아니아니요", "으음", "아하", "어머나", "아이고", "OK", "yes"),
        *("감사해요", "죄송한데", "여보쇼", "로는", "에다가", "한텐"),
    ],
)
def test_an_answer_however_long_and_a_particle_that_stands_alone_are_never_key_tokens(word: str) -> None:
    assert select_key_tokens([word, "검찰청"], [1.0, 0.0]) == ("검찰청",)


@pytest.mark.parametrize(
    "word", ["하지만", "하지만요", "그렇다면", "걸로", "거라고", "수밖에", "때는", "맞다", "맞으시죠", "아닌데요"]
)
def test_what_joins_points_or_agrees_is_never_a_key_token(word: str) -> None:
    assert select_key_tokens([word, "검찰청"], [1.0, 0.0]) == ("검찰청",)


@pytest.mark.parametrize(
    "word",
    [
        "네이버",
        "예정",
        "노예",
        "아이",
        "감사원",
        "맞춤",
        "거래",
        "수사",
        "중도",
        "편지",
        "분실",
        "중지",
        "때려",
        "건강",
        "단속",
    ],
)
def test_a_word_that_only_begins_like_an_empty_one_can_be_one(word: str) -> None:
    assert select_key_tokens([word], [1.0]) == (word,)


@pytest.mark.parametrize("word", ["돈", "돈을", "빚", "앱을", "어음", "이자", "네이버", "예금", "3000", "OTP"])
def test_a_word_that_says_something_can_be_one(word: str) -> None:
    assert select_key_tokens([word], [1.0]) == (word,)


def test_a_sentence_without_spaces_is_no_word() -> None:
    assert select_key_tokens(["계좌로바로보내세요" * 3, "검찰청"], [0.9, 0.1]) == ("검찰청",)


def test_a_call_without_words_has_no_key_tokens() -> None:
    assert select_key_tokens([], []) == ()


def test_words_and_attention_of_different_length_are_a_fault() -> None:
    with pytest.raises(ValueError, match="zip"):
        select_key_tokens(["계좌"], [0.5, 0.5])


@given(MIXED)
def test_key_tokens_are_distinct_words_of_the_call_and_always_the_same(heard: list[tuple[str, float]]) -> None:
    words, attention = [word for word, _ in heard], [weight for _, weight in heard]
    tokens = select_key_tokens(words, attention)
    assert tokens == select_key_tokens(words, attention)
    assert len(tokens) <= MOST_KEY_TOKENS
    assert len({stem_of(token) for token in tokens}) == len(tokens)
    assert set(tokens) <= set(words) - set(EMPTY)
    assert len(tokens) == min(MOST_KEY_TOKENS, len({stem_of(word) for word in words if word in TELLING}))


@given(MIXED)
def test_only_the_proportions_of_attention_matter(heard: list[tuple[str, float]]) -> None:
    words = [word for word, _ in heard]
    # Whole numbers times a power of two stay exact, so that ties stay ties.
    attention = [round(weight * 1000) for _, weight in heard]
    scaled = [weight * 4.0 for weight in attention]
    assert select_key_tokens(words, attention) == select_key_tokens(words, scaled)
