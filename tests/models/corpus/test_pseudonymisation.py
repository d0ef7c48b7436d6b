"""An institution's calls come out masked and under pseudonyms, with a record that quotes nobody."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from models.__main__ import main
from models.corpus.places_to_check import Doubt, find_places_to_check
from models.corpus.pseudonyms import PseudonymKey, load_or_create_key
from models.corpus.reader import read_calls
from models.domain.call import Call, Label, Segment
from models.errors import KeyExposedError, PseudonymKeyError
from tests.processor_time import at_most

ROWS = [
    {
        "id": "010-1234-5678",
        "label": 1,
        "text": "저는 홍길동입니다 공일공에 일이삼사에 오육칠팔 역삼동 12번지 칠십이년생",
    },
    {
        "id": "b",
        "label": 0,
        "segments": [{"start": 0, "end": 1, "text": "카드 1234 5678 9012 3456 네"}],
        "agent": "홍길동",
    },
]


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    return path


def pseudonymise(calls: Path, *more: str, out: str = "out.jsonl", report: str = "report.json") -> int:
    folder = calls.parent
    return main(["pseudonymise", str(calls), str(folder / out), "--report", str(folder / report), *more])


def report_of(calls: Path, name: str = "report.json") -> dict[str, Any]:
    report: dict[str, Any] = json.loads((calls.parent / name).read_text(encoding="utf-8"))
    return report


def told_in(path: Path) -> str:
    """Return what a file says but for pseudonyms and the key's fingerprint, in which any digits may stand by chance."""
    return re.sub(r'"(p-[0-9a-f]{32}|[0-9a-f]{16})"', "", path.read_text(encoding="utf-8"))


def test_the_result_is_a_call_file_without_ids_names_numbers_and_fields_of_others(calls: Path) -> None:
    assert pseudonymise(calls) == 0
    told = told_in(calls.parent / "out.jsonl")
    first, second = read_calls(calls.parent / "out.jsonl")
    assert first.text == "저는 <이름>입니다 <전화번호> 역삼동 12번지 칠십이년생"
    assert second.segments == (Segment(0, 1, "카드 <카드번호> 네"),)
    assert [first.label, second.label] == [Label.VISHING, Label.NORMAL]
    assert not any(word in told for word in ("홍길동", "1234", "agent", '"b"'))


def test_the_report_counts_and_names_places_and_quotes_nothing(calls: Path) -> None:
    assert pseudonymise(calls, "--purpose", "연구") == 0
    report = report_of(calls)
    assert (report["calls"], report["purpose"]) == (2, "연구")
    assert report["masked"] == {"이름": 1, "전화번호": 1, "카드번호": 1}
    assert report["calls_with"] == {"이름": 1, "전화번호": 1, "카드번호": 1}
    assert report["to_check"]["places"] == {"perhaps a date of birth": 1, "perhaps an address": 1}
    told = told_in(calls.parent / "report.json")
    assert not any(word in told for word in ("홍길동", "역삼동", "칠십이", "1234", "공일공", "여보세요"))


def test_a_place_leads_to_what_a_person_should_look_at(calls: Path) -> None:
    assert pseudonymise(calls) == 0
    texts = {call.id: call.text for call in read_calls(calls.parent / "out.jsonl")}
    places = report_of(calls)["to_check"]["where"]
    assert [texts[place["call_id"]][place["start"] : place["end"]] for place in places] == [
        "역삼동 12번지",
        "칠십이년생",
    ]


def test_the_key_is_kept_apart_for_its_owner_only_and_gives_the_same_pseudonyms_again(calls: Path) -> None:
    assert pseudonymise(calls) == 0
    key = calls.parent / "calls.jsonl.pseudonym-key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert pseudonymise(calls, out="again.jsonl", report="again.json") == 0
    assert (calls.parent / "out.jsonl").read_bytes() == (calls.parent / "again.jsonl").read_bytes()
    assert report_of(calls)["key_fingerprint"] == report_of(calls, "again.json")["key_fingerprint"]
    for name in ("out.jsonl", "report.json"):
        assert key.read_text().strip() not in (calls.parent / name).read_text()


def test_another_key_gives_other_pseudonyms(calls: Path) -> None:
    assert pseudonymise(calls) == 0
    assert pseudonymise(calls, "--key", str(calls.parent / "other"), out="other.jsonl", report="other.json") == 0
    ours, others = ({call.id for call in read_calls(calls.parent / name)} for name in ("out.jsonl", "other.jsonl"))
    assert not ours & others


@pytest.mark.parametrize("present", ["out.jsonl", "report.json"])
def test_nothing_is_overwritten_and_nothing_else_written_then(calls: Path, present: str) -> None:
    (calls.parent / present).write_text("mine")
    assert pseudonymise(calls) == 4
    assert (calls.parent / present).read_text() == "mine"
    assert sorted(path.name for path in calls.parent.iterdir()) == sorted(["calls.jsonl", present])


def test_a_bad_line_is_named_and_leaves_nothing_behind(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls.write_text(calls.read_text() + '\n{"id": "c", "label": 3, "text": "홍길동입니다"}')
    assert pseudonymise(calls) == 3
    error = capsys.readouterr().err
    assert "line 3: the label is neither" in error
    assert "홍길동" not in error
    assert [path.name for path in calls.parent.iterdir()] == ["calls.jsonl"]


def test_a_result_named_as_csv_or_as_the_calls_themselves_is_refused(calls: Path) -> None:
    assert pseudonymise(calls, out="out.csv") == 2
    assert pseudonymise(calls, out="calls.jsonl") == 2
    assert pseudonymise(calls, out="report.json") == 2


def test_a_folder_in_place_of_the_calls_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pseudonymise", ".", "out.jsonl", "--report", "report.json"]) == 3
    assert capsys.readouterr().err == "error: .: can't be read: Is a directory\n"


def test_a_purpose_that_is_no_text_is_refused(calls: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        pseudonymise(calls, "--purpose", "연구\udcff")
    assert [path.name for path in calls.parent.iterdir()] == ["calls.jsonl"]


def test_csv_is_taken_too(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text('id,label,text\n1,0,"네, 홍길동 고객님"\n', encoding="utf-8")
    assert pseudonymise(path) == 0
    assert read_calls(tmp_path / "out.jsonl")[0].text == "네, <이름> 고객님"


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_or_create_key(tmp_path / "key")
    os.chmod(tmp_path / "key", 0o640)
    with pytest.raises(KeyExposedError, match="others than the owner"):
        load_or_create_key(tmp_path / "key")


@pytest.mark.parametrize(("content", "reason"), [(b"\xff", "not a key"), (b"zz", "not a key"), (b"00ff", "got 2")])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "key").write_bytes(content)
    os.chmod(tmp_path / "key", 0o600)
    with pytest.raises(PseudonymKeyError, match=reason):
        load_or_create_key(tmp_path / "key")


def test_a_pseudonym_is_the_hmac_of_the_id_and_the_key_is_not_shown() -> None:
    # printf b | openssl dgst -sha256 -mac HMAC -macopt hexkey:000...0 (32 bytes), the first 16 bytes
    key = PseudonymKey(bytes(32))
    assert key.pseudonym_of("b") == "p-6303a85bb6ce539d45aac0daf7cde7a2"
    assert "00" not in repr(key)


@pytest.mark.parametrize(
    ("text", "doubt", "found"),
    [
        ("주소는 서울시 강남구 쪽이요", Doubt.ADDRESS, "서울시 강남구"),
        ("삼백이동 천오호요", Doubt.ADDRESS, "삼백이동 천오호"),
        ("푸른아파트예요", Doubt.ADDRESS, "푸른아파트"),
        ("구십년생이요", Doubt.BIRTH, "구십년생"),
        ("생년월일 말씀", Doubt.BIRTH, "생년월일"),
        ("전남 순천시예요", Doubt.ADDRESS, "전남 순천시"),
        ("강남구 역삼동이요", Doubt.ADDRESS, "강남구 역삼동"),
        ("301호예요", Doubt.ADDRESS, "301호"),
        ("94년 1월에 났어요", Doubt.BIRTH, "94년 1월"),
        ("구십사년 일월에요", Doubt.BIRTH, "구십사년 일월"),
        ("천구백구십사년이요", Doubt.BIRTH, "천구백구십사년"),
        ("삼월 일일 생이에요", Doubt.BIRTH, "일일 생"),
        ("골뱅이 네이버", Doubt.NET, "골뱅이"),
        ("길동 앳 지메일이요", Doubt.NET, "지메일"),
        ("네 한아뿐 씨", Doubt.NAME, "한아뿐"),
        ("김 철수 고객님", Doubt.NAME, "김 철수"),
        ("김 민 수 씨", Doubt.NAME, "김 민 수"),
        ("김 민 자 수 자요", Doubt.NAME, "김 민 자 수 자"),
        ("김민순데요", Doubt.NAME, "김민순"),
        ("네 김민수", Doubt.NAME, "김민수"),
        ("응우옌 씨", Doubt.NAME, "응우옌"),
        ("Nguyen Van 고객님", Doubt.NAME, "Nguyen Van"),
        ("번호 사공일구요", Doubt.NUMBER, "사공일구"),
        ("끝자리 4019", Doubt.NUMBER, "4019"),
    ],
)
def test_what_rules_can_not_settle_is_a_place_to_check(text: str, doubt: Doubt, found: str) -> None:
    (place,) = find_places_to_check(Call("a", Label.NORMAL, text=text))
    assert (place.doubt, text[place.start : place.end], place.segment) == (doubt, found, None)


@pytest.mark.parametrize("piece", ["가", "a.", "03년", "동1", "김 "])
def test_no_text_is_looked_through_longer_than_its_length_allows(piece: str) -> None:
    with at_most(20):
        assert list(find_places_to_check(Call("a", Label.NORMAL, text=piece * (100_000 // len(piece))))) is not None


@pytest.mark.parametrize(
    "text",
    ["네 알겠습니다", "2024년에요", "5000원이요", "<이름> 씨 <전화번호>로", "<주민번호> 맞으세요", "30년 만기에 3호선"],
)
def test_ordinary_words_amounts_years_and_masks_are_not(text: str) -> None:
    assert not list(find_places_to_check(Call("a", Label.NORMAL, text=text)))
