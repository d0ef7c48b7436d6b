from __future__ import annotations

from collections import Counter

from models.corpus.generator import generate_calls
from models.detector.evidence import EvidenceFinder
from models.detector.scam_type import TOLD, guess_scam_type
from models.domain.call import ScamType
from models.text.clean import split_words


def guess(text: str) -> ScamType:
    finder = EvidenceFinder()
    finder.hear(split_words(text))
    return guess_scam_type(finder.found)


def test_who_calls_and_what_is_threatened_point_to_agency_and_a_cheap_loan_to_loan() -> None:
    assert guess("서울중앙지검 수사관입니다 명의도용 사건에 연루되셨습니다") is ScamType.AGENCY
    assert guess("저금리 대환 대출 승인이 나셨는데 기존대출 상환을 먼저 하셔야 합니다") is ScamType.LOAN
    assert guess("엄마 나야엄마 폰고장 나서 그런데 상품권 좀 사 줘") is ScamType.MESSENGER


def test_where_nothing_stands_out_no_type_is_said() -> None:
    assert guess("") is ScamType.UNKNOWN
    assert guess("여보세요 저녁에 뭐 먹을까") is ScamType.UNKNOWN
    assert guess("검찰입니다 저금리 안내드립니다") is ScamType.UNKNOWN  # one kind each


def test_types_that_evidence_does_not_tell_apart_are_not_said() -> None:
    assert guess("앱을 다운받으시고 원격 제어를 허용해 주세요 해킹 때문입니다") is ScamType.UNKNOWN
    guesses = {guess(call.transcript) for call in generate_calls(150, 3, vishing_share=1.0)}
    assert guesses <= TOLD | {ScamType.UNKNOWN}


def test_guesses_are_right_more_often_than_the_commonest_type_would_be() -> None:
    calls = generate_calls(400, 17, vishing_share=1.0)
    told = [(guess(call.transcript), call.scam_type) for call in calls]
    for scam_type, least in ((ScamType.AGENCY, 0.7), (ScamType.LOAN, 0.5)):
        right = Counter(true is scam_type for said, true in told if said is scam_type)
        assert right.total() > 20
        assert right[True] / right.total() > least
