"""What stands for a name that was taken out goes; what was spoken, numbers among it, stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.clean import clean_text, split_words


@pytest.mark.parametrize(
    "number",
    ["100", "2000", "3000만", "1,000", "2,000,000원", "12,300.00", "007", "1002동", "010-0000-1234", "010 0000 1234",
     "10:00", "0.00퍼센트", "2000년", "100%"],
)  # fmt: skip
def test_the_digits_of_a_number_stay(number: str) -> None:
    cleaned = clean_text(f"한 {number} 맞아요")
    assert [sign for sign in cleaned if sign.isdigit()] == [sign for sign in number if sign.isdigit()]


@pytest.mark.parametrize(
    ("marked", "spoken"),
    [
        ("김OO 고객님", "김 고객님"), ("OO은행입니다", "은행입니다"), ("여기 OOO에서", "여기 에서"), ("○○은행", "은행"),
        ("김00 고객님", "김 고객님"), ("00은행입니다", "은행입니다"), ("저는 000 대리", "저는 대리"), ("◯◯구", "구"),
        ("홍XX 씨", "홍 씨"), ("xx카드", "카드"), ("××시", "시"), ("번호는 000-0000-0000이요", "번호는 이요"),
        ("010-XXXX-1234", "010 1234"), ("940101-1XXXXXX", "940101 1"), ("**은행", "은행"), ("&name1& 씨", "씨"),
        ("#@주소#에요", "주소 에요"), ("#상호-이름# 갔어", "갔어"), ("O○O 씨", "씨"),
        ("<이름> 씨", "씨"), ("번호는 <전화번호>이요", "번호는 이요"),
    ],
)  # fmt: skip
def test_what_stands_for_a_name_goes(marked: str, spoken: str) -> None:
    assert clean_text(marked) == spoken


@pytest.mark.parametrize("word", ["ZOOM", "XXL", "BOOK", "O형", "X선", "0번", "0원"])
def test_letters_of_a_word_and_single_signs_are_no_mark(word: str) -> None:
    assert clean_text(word) == word


def test_transcribers_marks_go() -> None:
    assert split_words("b/ 그래서 n/ *어제 간+ ((웃음)) 갔어.") == ["그래서", "어제", "간", "갔어"]


def test_hangul_typed_as_letters_equals_hangul_typed_as_syllables() -> None:
    assert clean_text("\u1112\u1161\u11ab") == "한"


@given(st.text(max_size=60))
def test_words_are_what_stands_between_single_spaces(text: str) -> None:
    words = split_words(text)
    assert " ".join(words) == clean_text(text)
    assert all(words)


@given(st.integers(1, 10**12), st.booleans())
def test_a_number_that_is_not_all_zeros_is_kept_whole(number: int, grouped: bool) -> None:
    written = f"{number:,}" if grouped else str(number)
    assert clean_text(f"그럼 {written}원").replace(" ", "") == f"그럼{number}원"
