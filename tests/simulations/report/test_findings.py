from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.call import Label, ScamType
from models.domain.privacy import Adversary, PrivacyUnit
from models.domain.release import Verdict
from models.page.text import Text, decimal, file_size, percent, small
from models.privacy.accounting import DISTRIBUTED_ACCOUNTANT
from simulations.report.content import Scores
from simulations.report.findings import (
    bound_odds,
    describe_change,
    find_accuracy,
    find_detection,
    find_losses,
    find_privacy,
    find_release,
    find_statistics,
    find_training,
    list_mishaps,
    wilson_interval,
)
from simulations.report.product import ShareEstimate
from simulations.report.wording import towards
from tests.simulations.report.example import (
    UNSEEN,
    example_content,
    example_detection,
    example_release,
    example_scores,
    example_statement,
    example_statistics,
)


def accuracy_of(before: float, after: float, calls: int = 60) -> Text:
    def scores(recall: float) -> Scores:
        example = example_scores(0.9, recall, 0.9, 5.0)
        return replace(example, calls_by_type=dict.fromkeys(example.recall_by_type, calls))

    return find_accuracy(replace(example_content(), before=scores(before), after=scores(after)))


def test_a_recall_that_rose_is_said_to_have_risen() -> None:
    found = accuracy_of(0.31, 0.86)
    assert found.en == "Recall on the type nobody had trained on (messenger phishing) rose from 0.31 to 0.86"
    assert found.ko == "아무도 학습하지 않은 유형(메신저피싱)의 재현율은 0.31에서 0.86으로 올랐다"


def test_a_recall_that_fell_is_said_to_have_fallen() -> None:
    assert accuracy_of(0.86, 0.31).en.endswith("fell from 0.86 to 0.31")
    assert accuracy_of(0.86, 0.31).ko.endswith("0.86에서 0.31로 떨어졌다")


def test_a_recall_that_prints_alike_is_said_to_have_stayed() -> None:
    assert accuracy_of(0.861, 0.858).en.endswith("stayed at 0.86")


def test_a_small_change_on_few_calls_is_said_to_be_possible_chance() -> None:
    assert accuracy_of(0.50, 0.70, calls=10).en.endswith(
        "rose from 0.50 to 0.70, but 10 calls are too few to rule out chance"
    )
    assert "chance" not in accuracy_of(0.50, 0.70, calls=1000).en


def test_without_an_unseen_type_the_heading_is_about_f1() -> None:
    content = example_content()
    found = find_accuracy(replace(content, run=replace(content.run, unseen_type=None)))
    assert found == Text("F1 rose from 0.83 to 0.95", "F1은 0.83에서 0.95로 올랐다")


@given(old=st.floats(0, 1), new=st.floats(0, 1), digits=st.integers(1, 3))
def test_a_heading_never_says_up_for_down(old: float, new: float, digits: int) -> None:
    said = describe_change(Text("F1", "F1은"), old, new, digits)
    assert (" rose " in said.en) == ("올랐다" in said.ko) == (float(decimal(new, digits)) > float(decimal(old, digits)))
    assert (
        (" fell " in said.en) == ("떨어졌다" in said.ko) == (float(decimal(new, digits)) < float(decimal(old, digits)))
    )


def test_types_that_lost_are_named_with_their_numbers() -> None:
    before = example_scores(0.9, 0.3, 0.97, 5.0)
    after = replace(before, recall_by_type=dict(before.recall_by_type) | {ScamType.LOAN: 0.40, UNSEEN: 0.9})
    losses = find_losses(before, after)
    assert losses is not None
    assert losses.en == "Recall fell on loan fraud (0.96 → 0.40)."
    assert find_losses(before, before) is None


def test_losses_that_may_be_chance_are_said_to_be() -> None:
    losses = find_losses(example_scores(0.9, 0.3, 0.97, 5.0), example_scores(0.9, 0.9, 0.96, 5.0))
    assert losses is not None
    assert losses.en.endswith("; so small a change may be chance.")
    assert "automated calls (ARS)" in losses.en


def test_training_counts_every_device_that_was_asked() -> None:
    found = find_training(example_content())
    assert found.en == (
        "In 20 rounds 865 of 1,000 requested updates were folded in; "
        "130 never came, 3 refused by the device, 2 could not be used"
    )
    assert found.ko.endswith("865건 반영, 130건 응답 없음, 3건 기기가 거절, 2건 사용 불가")


def test_a_round_names_refusals_as_such_and_none_where_there_was_none() -> None:
    sixth, seventh = example_content().rounds[5:7]
    assert list_mishaps(sixth) == [Text("refused by the device 1", "기기가 거절 1")]
    assert list_mishaps(seventh) == [Text("not finite 1", "유한하지 않음 1")]


def test_the_cost_in_privacy_names_the_unit_and_both_adversaries() -> None:
    found = find_privacy((example_statement(Adversary.RECIPIENTS, 1.44), example_statement(Adversary.SERVER, 13.22)))
    assert found.en == (
        "The cost per person: epsilon 1.44 against those who receive releases "
        "and 13.22 against a server that keeps its word"
    )


def test_a_server_that_sees_masked_updates_only_needs_no_belief() -> None:
    masked = replace(example_statement(Adversary.SERVER, 13.22), accountant=DISTRIBUTED_ACCOUNTANT)
    assert find_privacy((masked,)).en == "The cost per person: epsilon 13.22 against the server"


def test_two_units_are_never_mixed_in_one_heading() -> None:
    call = replace(example_statement(Adversary.RECIPIENTS, 7.77), unit=PrivacyUnit.CALL)
    assert "7.77" not in find_privacy((example_statement(Adversary.RECIPIENTS, 1.44), call)).en
    assert find_privacy((call,)).en == "The cost per call: epsilon 7.77 against those who receive releases"


def test_an_epsilon_is_told_as_the_factor_that_it_allows() -> None:
    # e^0 = 1, e^1.44 = 4.22, e^3 = 20.1, e^12 = 162,755
    said = [bound_odds(epsilon).en for epsilon in (0.0, 1.44, 3.0, 12.0, 14.0, 1e9)]
    assert said[:3] == ["1.0 times", "4.2 times", "20 times"]
    assert said[3:] == ["162,755 times: promises little", *["over a million: promises nothing"] * 2]


def test_no_privacy_is_said_plainly() -> None:
    assert find_privacy(()).en.startswith("This run protected nobody")


def test_a_release_is_announced_only_where_every_condition_passed() -> None:
    assert find_release(example_release()).en.startswith("Release 1.1.0 passed its gate: 3.42\u00a0MB")
    assert (
        find_release(example_release(passed=False)).en
        == "Nothing was released: the gate refused the model for its F1 0.842"
    )


@pytest.mark.parametrize(
    ("label", "verdict", "said"),
    [
        (Label.VISHING, Verdict.DANGEROUS, "into the scam call the device warned"),
        (Label.VISHING, Verdict.NORMAL, "missed this scam call"),
        (Label.NORMAL, Verdict.SUSPICIOUS, "false alarm"),
        (Label.NORMAL, Verdict.NORMAL, "stayed silent, rightly"),
    ],
)
def test_a_warning_is_judged_by_what_the_call_was(label: Label, verdict: Verdict, said: str) -> None:
    example = example_detection()
    windows = (replace(example.windows[0], verdict=verdict),)
    assert said in find_detection(replace(example, call=replace(example.call, label=label), windows=windows)).en


def test_the_first_warning_is_the_one_told() -> None:
    assert find_detection(example_detection()).en.startswith("20 s into the scam call the device warned: suspicious")


def test_intervals_that_miss_the_truth_are_counted_as_missing() -> None:
    outcome = example_statistics()
    assert outcome.estimates is not None
    wrong = replace(outcome, estimates=dict(outcome.estimates) | {"normal": ShareEstimate(0.9, 0.85, 0.95)})
    assert find_statistics((outcome,)).en.endswith("4 of 4 intervals hold the true one")
    assert find_statistics((outcome, wrong)).en.endswith("7 of 8 intervals hold the true one")


def test_wilson_intervals_agree_with_the_published_formula() -> None:
    # n = 10, 5 found: centre 0.5, half width 1.96 / 13.8415 * sqrt(2.5 + 0.9604) = 0.2634
    low, high = wilson_interval(0.5, 10)
    assert (round(low, 4), round(high, 4)) == (0.2366, 0.7634)
    assert wilson_interval(0.0, 0) == (0.0, 1.0)


def test_numbers_are_printed_as_people_read_them() -> None:
    assert [file_size(size) for size in (512, 1802, 3_412_881)] == ["512\u00a0B", "1.8\u00a0kB", "3.41\u00a0MB"]
    assert [percent(share) for share in (0.0, 0.042, 0.0996, 0.55, -0.05)] == ["0.0%", "4.2%", "10%", "55%", "-5.0%"]
    assert [small(value) for value in (1e-6, 2.5e-10, 2e-4, 0.01, 0.0)] == ["1e-6", "2.5e-10", "0.0002", "0.01", "0"]
    assert decimal(-0.001) == "0.00"


def test_korean_particles_follow_from_how_the_last_digit_is_read() -> None:
    assert [towards(f"0.{digit}") for digit in range(10)] == [
        f"0.{digit}{'으로' if digit in (0, 3, 6) else '로'}" for digit in range(10)
    ]
