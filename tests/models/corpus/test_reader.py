"""Call files that people bring: what is read, and what is refused with which reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.corpus.reader import read_calls, write_calls
from models.domain.call import Call, Label, ScamType, Segment
from models.errors import CallFileError
from models.text.clean import split_words

SECRET = "비밀통화내용"
GOOD = {"id": "a", "label": 0, "text": f"여보세요 {SECRET}"}


def write_rows(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_a_line_of_text_and_a_line_of_segments_are_read_in_order(tmp_path: Path) -> None:
    segments = [{"start": 0, "end": 1.5, "text": "여보세요"}, {"start": 1.2, "end": 3, "text": "네"}]
    path = write_rows(
        tmp_path / "calls.jsonl",
        GOOD,
        "",
        {"id": 7, "label": 1, "segments": segments, "scam_type": "loan", "source": "s"},
    )
    assert read_calls(path) == [
        Call("a", Label.NORMAL, text=f"여보세요 {SECRET}"),
        Call("7", Label.VISHING, (Segment(0, 1.5, "여보세요"), Segment(1.2, 3, "네")), "", "s", ScamType.LOAN),
    ]


def test_csv_is_read_with_empty_fields_taken_as_absent(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(
        'id,label,text,scam_type\na,1,"네, 여보세요\n누구세요",ars\nb,0,안녕하세요,\n', encoding="utf-8-sig"
    )
    assert read_calls(path) == [
        Call("a", Label.VISHING, text="네, 여보세요\n누구세요", scam_type=ScamType.ARS),
        Call("b", Label.NORMAL, text="안녕하세요"),
    ]


def test_hangul_typed_as_separate_letters_is_hangul(tmp_path: Path) -> None:
    (call,) = read_calls(write_rows(tmp_path / "calls.jsonl", {**GOOD, "text": normalize("NFD", "여보세요")}))
    assert split_words(call.text) == ["여보세요"]


def segments_of(*spans: tuple[Any, Any]) -> dict[str, Any]:
    return {"id": "b", "label": 0, "segments": [{"start": a, "end": b, "text": SECRET} for a, b in spans]}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f'{{"id": "b", "text": "{SECRET}"', "is not JSON"),
        (f'["{SECRET}"]', "is not a JSON object"),
        ({**GOOD, "id": ""}, "the id is not there"),
        ({**GOOD, "id": True}, "the id is not there"),
        ({"label": 0, "text": SECRET}, "the id is not there"),
        ({**GOOD, "id": "b", "label": 2}, "neither 0 (normal) nor 1 (vishing)"),
        ({**GOOD, "id": "b", "label": True}, "neither 0 (normal) nor 1 (vishing)"),
        ({**GOOD, "id": "b", "label": [1]}, "neither 0 (normal) nor 1 (vishing)"),
        ({"id": "b", "text": SECRET}, "neither 0 (normal) nor 1 (vishing)"),
        ({**GOOD, "id": "b", "text": "  "}, "the transcript is empty"),
        ({"id": "b", "label": 0}, "the transcript is empty"),
        ({"id": "b", "label": 0, "segments": [], "text": ""}, "the transcript is empty"),
        ({**GOOD, "id": "b", "text": "hello 123"}, "the transcript has no Hangul"),
        ({**GOOD, "id": "b", "text": 5}, "text is not text"),
        ({**GOOD, "id": "b", "text": "가\ud800"}, "lone surrogate"),
        ({**GOOD, "id": "b", "source": 5}, "source is not text"),
        ({**GOOD, "id": "b", "scam_type": SECRET}, "the scam_type is none of agency, loan"),
        ({**GOOD, "id": "b", "segments": "x"}, "segments is not a list"),
        ({**GOOD, "id": "b", "segments": ["x"]}, "a segment is not an object"),
        (segments_of((1, 2), (0, 3)), "not in order of start"),
        (segments_of((2, 1)), "ends before it starts"),
        (segments_of((-1, 1)), "start is not a finite number"),
        (segments_of((0, float("inf"))), "end is not a finite number"),
        (segments_of((float("nan"), 1)), "start is not a finite number"),
        (segments_of((0, 10**400)), "end is not a finite number"),
        (segments_of((0, "1")), "end is not a finite number"),
        (segments_of((0, None)), "end is not a finite number"),
        ({**GOOD, "id": "a"}, "used before, on line 1"),
    ],
)
def test_a_bad_line_names_file_line_and_reason_and_never_the_text(tmp_path: Path, row: Any, reason: str) -> None:
    path = write_rows(tmp_path / "calls.jsonl", GOOD, row)
    with pytest.raises(CallFileError) as refused:
        read_calls(path)
    assert refused.value.line == 2
    assert reason in refused.value.reason
    assert str(refused.value).startswith(f"{path}, line 2: ")
    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None or SECRET not in str(refused.value.__context__)


def test_broken_utf8_names_the_line_it_stands_on(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b"\n" + "가".encode()[:2] + b"\n")
    with pytest.raises(CallFileError, match="line 2: is not UTF-8"):
        read_calls(path)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_of_nothing_is_refused(tmp_path: Path, content: str) -> None:
    path = write_rows(tmp_path / "calls.jsonl", content)
    with pytest.raises(CallFileError, match="there is no call in the file"):
        read_calls(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallFileError, match=r"nowhere\.jsonl: can't be read"):
        read_calls(tmp_path / "nowhere.jsonl")


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        (["id,text", "a,여보세요"], 1, "the header lacks label"),
        (["id,label,text,label", "a,1,여보세요,0"], 1, "the header has a column twice"),
        (["id,label,text", 'a,1,"여보세요'], 2, "a quote is out of place or never closed"),
        (["id,label,text", 'a,1,"여보"세요'], 2, "a quote is out of place or never closed"),
        (["id,label,text", "a,1,여보세요", "b,vishing,여보세요"], 3, "the label is neither"),
        (["id,label,text", 'a,1,"여보\n세요"', "", "b,2,여보세요"], 5, "the label is neither"),
        (["id,label,text", "a,1,네, 여보세요"], 2, "has 4 fields, the header 3"),
        (["id,label,text", "a,1"], 2, "has 2 fields, the header 3"),
        (["id,label,text", "a,1,"], 2, "the transcript is empty"),
        (["id,label,text", "a,1,여보세요", "a,0,네"], 3, "used before, on line 2"),
        (["id,label,text"], None, "there is no call in the file"),
        ([""], None, "there is no call in the file"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_csv_that_can_not_be_used_names_line_and_reason(
    tmp_path: Path, encoding: str, lines: list[str], line: int | None, reason: str
) -> None:
    path = tmp_path / "calls.CSV"
    path.write_text("\n".join(lines), encoding=encoding)
    with pytest.raises(CallFileError) as refused:
        read_calls(path)
    assert refused.value.line == line
    assert reason in refused.value.reason
    assert "여보" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_csv_is_read_in_the_encodings_and_line_ends_of_korean_offices(
    tmp_path: Path, encoding: str, line_end: str
) -> None:
    path = tmp_path / "calls.csv"
    rows = ["Label, ID ,상담원,TEXT", '1,a,"홍","네, ""여보세요"" 하셨죠"', "", "0,b,김,안녕하세요"]
    path.write_bytes(line_end.join(rows).encode(encoding))
    assert read_calls(path) == [
        Call("a", Label.VISHING, text='네, "여보세요" 하셨죠'),
        Call("b", Label.NORMAL, text="안녕하세요"),
    ]


@pytest.mark.parametrize("damage", [b"\xec\x97", b"\xff"])
def test_a_csv_of_broken_utf8_is_not_taken_for_cp949(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "calls.csv"
    lines = ["id,label,text", *(f"{number},0,여보세요 저녁에 뭐 먹을까 일곱 시쯤 들어가" for number in range(20))]
    path.write_bytes("\n".join(lines).encode() + damage + b"\n")
    with pytest.raises(CallFileError, match="line 21: is neither UTF-8 nor CP949"):
        read_calls(path)


def test_a_csv_in_utf16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("id,label,text\na,0,여보세요", encoding="utf-16")
    with pytest.raises(CallFileError, match="is neither UTF-8 nor CP949"):
        read_calls(path)


def test_a_call_of_hours_is_read(tmp_path: Path) -> None:
    text = "네 알겠습니다 " * 20_000
    path = tmp_path / "calls.csv"
    path.write_text(f"id,label,text\na,0,{text}\n", encoding="utf-8")
    assert read_calls(path)[0].text == text


def test_a_folder_that_is_not_there_can_not_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(CallFileError, match="can't be written"):
        write_calls(tmp_path / "nowhere" / "calls.jsonl", [Call("a", Label.NORMAL, text="네")])


texts = st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: f"네 {text}")
spans = st.tuples(st.floats(0, 1000), st.floats(0, 1000), texts)


@st.composite
def any_call(draw: st.DrawFn) -> Call:
    starts = sorted(draw(st.lists(spans, max_size=4)))
    segments = tuple(Segment(start, start + length, text) for start, length, text in starts)
    return Call(
        id=draw(texts),
        label=draw(st.sampled_from(Label)),
        segments=segments,
        text="" if segments else draw(texts),
        source=draw(texts),
        scam_type=draw(st.sampled_from(ScamType)),
    )


@given(st.lists(any_call(), min_size=1, max_size=4, unique_by=lambda call: call.id))
def test_what_is_written_is_read_back_unchanged(tmp_path_factory: pytest.TempPathFactory, calls: list[Call]) -> None:
    path = tmp_path_factory.mktemp("calls") / "calls.jsonl"
    write_calls(path, calls)
    assert read_calls(path) == calls
