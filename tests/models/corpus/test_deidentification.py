"""What tells a person is masked in imported calls, whatever way it was written or said, and the rest stays."""

from __future__ import annotations

import re
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.corpus.deidentification import deidentify_call
from models.corpus.generator import generate_calls
from models.corpus.masks import MARK, MASKED, SEAM, Identifier
from models.domain.call import Call, Label, Segment
from models.text.clean import clean_text
from tests.processor_time import at_most


def masked(text: str) -> str:
    return deidentify_call(Call("a", Label.NORMAL, text=text)).call.text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("주민번호가 940101-1234567입니다", "주민번호가 <주민번호>입니다"),
        ("940101-1****** 맞으시죠", "<주민번호> 맞으시죠"),
        ("구사공일공일 다시 일이삼사오육칠이요", "<주민번호>이요"),
        ("제 번호는 010-1234-5678이고요", "제 번호는 <전화번호>이고요"),
        ("010 1234 5678로 주세요", "<전화번호>로 주세요"),
        ("01012345678로 주세요", "<전화번호>로 주세요"),
        ("010.1234.5678", "<전화번호>"),
        ("010-XXXX-1234 번이요", "<전화번호> 번이요"),
        ("공일공에 일이삼사에 오육칠팔입니다", "<전화번호>입니다"),
        ("공일공 네 일이삼사 네 오육칠팔이요", "<전화번호>이요"),
        ("공 일 공 하나 둘 셋 넷 오 육 칠 팔이요", "<전화번호>이요"),
        ("공이에 일이삼에 사오육칠로 하세요", "<전화번호>로 하세요"),
        ("010 일이삼사 5678이에요", "<전화번호>이에요"),
        ("대표 번호 1588-1234요", "대표 번호 <전화번호>요"),
        ("카드 번호 1234 5678 9012 3456이요", "카드 번호 <카드번호>이요"),
        ("일이삼사 오육칠팔 구공일이 삼사오육", "<카드번호>"),
        ("국민은행 110-234-567890으로", "국민은행 <계좌번호>으로"),
        ("송장 번호 1234567 확인이요", "송장 번호 <번호> 확인이요"),
        ("뒷자리 1234567 불러 주세요", "뒷자리 <번호> 불러 주세요"),
        ("계좌가 123456789 원래 제 거예요", "계좌가 <번호> 원래 제 거예요"),
        ("1234567 천천히 1234567 만약에", "<번호> 천천히 <번호> 만약에"),
        ("０１０－１２３４－５６７８로", "<전화번호>로"),
        ("010\u200b1234ㅡ5678로", "<전화번호>로"),
        ("공일공요 네 일이삼사 하고 오육칠팔이요", "<전화번호>이요"),
        ("010인데 1234고요 그다음 5678이요", "010인데 <번호>이요"),
        ("공일공 일이삼사요 그리고 오육칠팔이요", "<전화번호>이요"),
        ("010 1234, 아 잠시만요 … 5678이요", "<전화번호>이요"),
        ("010          1234          5678", "<전화번호>"),
        ("앞자리 940101 뒷자리는 1234567이요", "앞자리 <주민번호>이요"),
        ("대표 번호 080-123-4567", "대표 번호 <전화번호>"),
        ("1994년생 19940101이요", "1994년생 <번호>이요"),
    ],
)
def test_numbers_are_masked_in_digits_and_in_words(line: str, expected: str) -> None:
    assert masked(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("홍길동 대표님 이정훈 이사님", "<이름> 대표님 <이름> 이사님"),
        ("홍길동 고객님 맞으시죠", "<이름> 고객님 맞으시죠"),
        ("홍길동고객님이신가요", "<이름>고객님이신가요"),
        ("정경자 씨 되시나요", "<이름> 씨 되시나요"),
        ("서울중앙지검 검사 홍길동입니다", "서울중앙지검 검사 <이름>입니다"),
        ("이정훈 검사님 바꿔 주세요", "<이름> 검사님 바꿔 주세요"),
        ("담당 수사관 박성호라고 합니다", "담당 수사관 <이름>라고 합니다"),
        ("저는 홍길동입니다", "저는 <이름>입니다"),
        ("제 이름은 이순자예요", "제 이름은 <이름>예요"),
        ("예금주는 남궁영으로 나와요", "예금주는 <이름>으로 나와요"),
        ("저는 홍길동입니다 네 홍길동 찾으시면 돼요", "저는 <이름>입니다 네 <이름> 찾으시면 돼요"),
        ("김OO 고객님 OO은행입니다", "<이름> 고객님 <익명>은행입니다"),
        ("홍○○ 대리입니다", "<이름> 대리입니다"),
        ("**은행 &name1& 씨", "<익명>은행 <익명> 씨"),
        ("홍*동 고객님 김** 씨", "<이름> 고객님 <이름> 씨"),
        ("김□□ 씨 △△은행 〇〇카드", "<이름> 씨 <익명>은행 <익명>카드"),
        ("[이름] 고객님 (전화번호1)로 {개인정보}", "<익명> 고객님 <익명>로 <익명>"),
        ("저 김철순데요 담당자 박민숩니다", "저 <이름>데요 담당자 <이름>니다"),
        ("홍길동: 네 여보세요\n이순자> 홍길동", "<이름>: 네 여보세요\n<이름>> <이름>"),
    ],
)
def test_names_are_masked_by_the_company_they_keep(line: str, expected: str) -> None:
    assert masked(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A: 여보세요 (웃음)\nB: 네 [불명] 그래", "여보세요 네 그래"),
        ("상담원: 안녕하세요\n고객1: 네", "안녕하세요 네"),
        ("[00:12] 여보세요 (00:15 - 00:20) 네", "여보세요 네"),
        ("b/ 그래 *어제 간+ ((음)) n/", "그래 어제 간"),
        ("(3%)/(삼 프로) 정도요 {한숨}", "삼 프로 정도요"),
        ("(침묵 3초) 네 [music] 그래 (laughter)", "네 그래"),
        ("00:12 여보세요\n00:01:15.5 네", "여보세요 네"),
        ("화자 A: 네\nSPEAKER_01: 네\n상담원> 네\n<고객> 네", "네 네 네 네"),
    ],
)
def test_what_a_transcriber_wrote_beside_the_words_goes(line: str, expected: str) -> None:
    assert " ".join(masked(line).split()) == expected


@pytest.mark.parametrize(
    "line",
    [
        normalize("NFD", "저는 홍길동입니다 공일공 일이삼사 오육칠팔"),
        "저는 홍\u200b길\u00ad동입니다 공일\u2060공 일이삼사 오육\ufeff칠팔",
        "저는 홍길동입니다 ０１０－１２３４－５６７８",
        "저는 홍길동입니다 ٠١٠ 𝟏𝟐𝟑𝟒 ५६७८",
    ],
    ids=["letters apart", "signs that nobody sees", "full width", "digits of other scripts"],
)
def test_however_unicode_writes_it_it_is_masked(line: str) -> None:
    assert masked(line) == "저는 <이름>입니다 <전화번호>"


def test_addresses_of_the_net_are_masked() -> None:
    line = "hong.gd@example.com 이나 https://example.com/a?b=1 또는 example.co.kr 들어가세요"
    assert masked(line) == "<이메일> 이나 <링크> 또는 <링크> 들어가세요"


@pytest.mark.parametrize(
    "line",
    [
        "삼천만 원 아니고 3,000,000원이요 5000000원 같은 거 12000000원이었는데 350000달러로요",
        "구만원이요 천만원이라고요 2천만원이고요",
        "2024년 3월 15일 2024-03-15 오후 3시 30분",
        "이 일이 사실 이사 온 일이에요",
        "저는 공무원입니다 우리 고객님 담당 변호사입니다",
        "하나 둘 셋 넷 다섯 여섯",
        "여성 상담원 강력반 형사 현장 소장",
        "인증번호 1234요",
        "주인님 아니고 손님이요 어머님 말씀이 조금만요",
        "BOOK (진짜로) [그래서]",
        "지난달에 이천이십사년이었나 오십오만 원",
        "대출은 2000~3000만 원 이자는 30 45,210원 합쳐서 30 45210 원이요",
        "<이름>이고요 칠오공삼일이요",
        "지금 조회합니다 신고한데요 주민입니다 오후 3:30 어때요",
    ],
)
def test_what_only_looks_like_it_stays(line: str) -> None:
    assert masked(line) == line


def test_a_number_said_in_parts_over_segments_is_masked_and_every_segment_stays() -> None:
    texts = ("네 번호가 010", "네", "1234 5678 맞아요")
    segments = tuple(Segment(float(place), place + 1.0, text) for place, text in enumerate(texts))
    result = deidentify_call(Call("a", Label.NORMAL, segments))
    assert [part.text for part in result.call.segments] == ["네 번호가 <전화번호>", "", " 맞아요"]
    assert [(part.start, part.end) for part in result.call.segments] == [(0, 1), (1, 2), (2, 3)]
    assert result.counts == {Identifier.PHONE: 1}


def test_a_name_and_its_title_in_two_segments_are_seen_together() -> None:
    call = Call("a", Label.NORMAL, (Segment(0, 1, "네 홍길동"), Segment(1, 2, "고객님 맞으시죠")))
    assert [part.text for part in deidentify_call(call).call.segments] == ["네 <이름>", "고객님 맞으시죠"]


def test_what_was_masked_is_counted_by_kind() -> None:
    line = "A: 홍길동 고객님 010-1234-5678 또는 010 8765 4321 (웃음)"
    counts = deidentify_call(Call("a", Label.NORMAL, text=line)).counts
    assert counts == {Identifier.NAME: 1, Identifier.PHONE: 2, MARK: 2}


def test_the_field_that_says_where_a_call_comes_from_is_masked_too() -> None:
    call = Call("a", Label.NORMAL, text="네", source="홍길동 팀장 010-1234-5678")
    assert deidentify_call(call).call.source == "<이름> 팀장 <전화번호>"


@pytest.mark.parametrize("kind", Identifier)
def test_no_mask_reaches_a_detector(kind: Identifier) -> None:
    assert clean_text(f"번호는 <{kind}>이요") == "번호는 이요"


def test_most_names_of_synthetic_calls_are_found_and_few_other_words() -> None:
    calls = generate_calls(200, seed=41, recogniser_noise=0.0)
    results = [deidentify_call(call) for call in calls]
    words = sum(len(call.transcript.split()) for call in calls)
    names = sum(result.counts[Identifier.NAME] for result in results)
    assert 0.3 * len(calls) < names < 0.02 * words
    assert not any(re.search(r"[0-9]{7}", result.call.transcript) for result in results)


signs = st.sampled_from(
    [*"0123456789", *"공일이삼사오육칠팔구", " ", "-", ".", " 네 ", "에 ", "x", "*", "(", ")", SEAM, "\n"]
)
speech = st.sampled_from(
    ["여보세요", "고객님", "홍길동", "입니다", "저는", "원", "A:", "(웃음)", "OO", "김", "검사", "<이름>", "@", "a.com"]
)
runs = st.text("0123456789", min_size=5, max_size=18)
written = st.lists(st.one_of(signs, runs, speech, st.characters(codec="utf-8")), max_size=60).map("".join)


@given(written)
@settings(max_examples=300)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = masked(text)
    assert masked(once) == once


@given(written)
@settings(max_examples=300)
def test_no_long_run_of_digits_stays_unless_it_is_an_amount(text: str) -> None:
    for run in re.finditer(r"(?<![0-9])[0-9]{7,}", masked(text)):
        assert re.match(r"원|\s?(?:원|달러|불|엔|위안|유로)(?!러)", masked(text)[run.end() :])


@given(
    st.lists(
        st.sampled_from(
            [
                "네",
                "그래서요",
                "은행에",
                "갔는데",
                "정말",
                "삼천만",
                "원이",
                "사실이",
                "이게",
                "고객님",
                "우리",
                "2천만",
            ]
        ),
        min_size=1,
    )
)
def test_speech_without_identifiers_is_left_as_it_is(words: list[str]) -> None:
    assert masked(" ".join(words)) == " ".join(words)


@given(
    st.from_regex(r"01[016789][- .]?[0-9]{3,4}[- .]?[0-9]{4}", fullmatch=True),
    st.sampled_from(["", "번", "이요", "로"]),
)
def test_every_mobile_number_is_masked_however_it_is_cut(number: str, ending: str) -> None:
    assert MASKED.search(masked(f"제 번호는 {number}{ending}"))
    assert not re.search(r"[0-9]{4}", masked(f"제 번호는 {number}{ending}"))


@pytest.mark.parametrize(
    "piece", ["0 ", "네 ", "이", "a.", "( ", "((", "(", "홍길동입니다 ", "- ", "1", "에", "A: ", "\n"]
)
def test_no_text_takes_longer_than_its_length_allows(piece: str) -> None:
    with at_most(20):
        assert isinstance(masked(piece * (100_000 // len(piece)) + "))가"), str)
