from __future__ import annotations

from dataclasses import replace

from models.page.text import Text
from simulations.report.round_charts import draw_replies
from tests.simulations.report.example import example_content


def test_the_replies_have_the_fates_and_the_words_of_the_dashboard() -> None:
    picture = draw_replies(example_content().rounds)
    assert [key.text for key in picture.keys] == [
        Text("folded in", "반영"),
        Text("no reply", "응답 없음"),
        Text("refused by the device", "기기가 거절"),
        Text("could not be used", "사용 불가"),
    ]
    assert picture.description == Text(
        "In all 865 replies were folded in, 130 devices did not reply, 3 refused, 2 could not be used",
        "전체 라운드에서 반영 865건, 응답 없음 130건, 기기가 거절 3건, 사용 불가 2건",
    )


def test_of_an_aborted_round_a_refusal_stays_one_and_the_other_replies_could_not_be_used() -> None:
    sixth = example_content().rounds[5]
    aborted = replace(sixth, report=replace(sixth.report, aborted="too few signatures"))
    assert draw_replies([aborted]).description.en.endswith(
        "In all 0 replies were folded in, 7 devices did not reply, 1 refused, 42 could not be used"
    )
