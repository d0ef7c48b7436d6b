from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.corpus.counterfactual import (
    ALL_ADDED,
    CHANGES,
    KEYWORDS,
    STRONGEST_REMOVED,
    _clauses,
    add_keywords,
    choose_hard,
    fit_strengths,
    make_counterfactuals,
    remove_strongest,
)
from models.corpus.generator import generate_calls
from models.domain.call import Call, Label, Segment
from models.errors import BadInputError
from models.text.clean import split_words
from models.text.empty_words import meaningful_stem
from models.text.particles import Particle, with_particle
from models.text.window import words_until

_WORDS = st.sampled_from(["점심을", "먹자", "네", "그래요", "알겠습니다", "검찰", "회의가", "있어요", "내일", "봐요."])
_TEXTS = st.lists(_WORDS, min_size=1, max_size=80).map(" ".join)


@st.composite
def _timed_calls(draw: st.DrawFn) -> Call:
    gaps = draw(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20), _TEXTS), min_size=1, max_size=12))
    start, segments = 0.0, []
    for gap, length, text in gaps:
        start += gap
        segments.append(Segment(start, start + length, text))
    return Call("a", Label.NORMAL, segments=tuple(segments))


_CALLS = st.one_of(_TEXTS.map(lambda text: Call("a", Label.NORMAL, text=text)), _timed_calls())


@settings(max_examples=60)
@given(_CALLS, st.integers(0, 99))
def test_keywords_are_added_to_what_was_said_and_nothing_else_changes(call: Call, seed: int) -> None:
    made = add_keywords(call, seed)

    assert [each.change for each in made] == [change for change in CHANGES if change != STRONGEST_REMOVED]
    for each in made:
        assert _is_within(split_words(call.transcript), split_words(each.call.transcript))
        assert each.call.label is call.label
        assert each.origin == call.id != each.call.id


@settings(max_examples=60)
@given(_CALLS, st.integers(0, 99))
def test_keywords_are_spoken_by_30_seconds(call: Call, seed: int) -> None:
    for each in add_keywords(call, seed):
        heard = " ".join(words_until(each.call, 30))
        wanted = KEYWORDS if each.change == ALL_ADDED else (each.change.split()[0],)
        assert all(word in heard for word in wanted)


@settings(max_examples=60)
@given(_timed_calls(), st.integers(0, 99))
def test_a_changed_calls_segments_are_in_order_and_as_long_as_before(call: Call, seed: int) -> None:
    for each in add_keywords(call, seed):
        starts = [segment.start for segment in each.call.segments]
        assert starts == sorted(starts)
        kept = [segment.text for segment in each.call.segments if segment.text not in _all_clauses()]
        assert kept == [segment.text for segment in call.segments]


@settings(max_examples=60)
@given(_CALLS, st.dictionaries(_WORDS, st.floats(-3, 3), max_size=8))
def test_the_strongest_words_are_gone_and_all_others_stay_in_order(call: Call, strengths: dict[str, float]) -> None:
    removed = remove_strongest(call, strengths, most=2)
    spoken = {word for word in words_until(call, 60) if meaningful_stem(word)}
    strong = sorted((word for word in spoken if strengths.get(word, 0) > 0), key=lambda w: (-strengths[w], w))[:2]
    rest = [word for word in split_words(call.transcript) if word not in strong]

    if removed is None:
        assert not strong or not rest
    else:
        assert split_words(removed.call.transcript) == rest
        assert [s.start for s in removed.call.segments] == [s.start for s in call.segments]


def test_words_that_say_nothing_are_never_the_strongest() -> None:
    call = Call("a", Label.VISHING, text="그 뭐 하지만 계좌를 네 걸로 점심을")
    strengths = dict.fromkeys(split_words(call.text), 9.0) | {"계좌를": 1.0, "점심을": -1.0}

    removed = remove_strongest(call, strengths)
    assert removed is not None
    assert removed.call.text == "그 뭐 하지만 네 걸로 점심을"


UNFINISHED = "제가 필요 우리 동네 바쁘니까 이것보다 근데요 날마다 가는데 먹고"


def test_nothing_is_worked_into_an_unfinished_sentence() -> None:
    untimed = Call("a", Label.NORMAL, text=UNFINISHED)
    timed = Call(
        "b", Label.NORMAL, segments=tuple(Segment(at, at + 1, text) for at, text in enumerate(UNFINISHED.split()))
    )
    for call in (untimed, timed):
        for seed in range(5):
            for each in add_keywords(call, seed):
                assert " ".join(split_words(each.call.transcript)).endswith(UNFINISHED)


@pytest.mark.parametrize("done", ["그래요", "됐습니다", "왔을까", "맞습니까", "있죠", "했다", "네", "간다", "뭐라고?"])
def test_a_clause_may_stand_between_two_sentences(done: str) -> None:
    segments = (Segment(0, 1, f"점심을 {done}"), Segment(1, 2, "내일"))
    call = Call("a", Label.NORMAL, segments=segments)
    changed = [add_keywords(call, seed)[0].call for seed in range(20)]
    assert {each.segments[0].text == segments[0].text for each in changed} == {True, False}


def test_the_same_seed_gives_the_same_calls_and_another_seed_others() -> None:
    calls = generate_calls(12, seed=3)
    strengths = fit_strengths(calls)
    hard = choose_hard(calls, "all")
    first, again, other = (make_counterfactuals(calls, hard, strengths, seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert len({each.call.id for each in first}) == len(first)


def test_a_words_strength_is_its_log_odds_ratio_over_its_standard_error() -> None:
    calls = [Call(f"v{n}", Label.VISHING, text="계좌 네") for n in range(4)]
    calls += [Call(f"n{n}", Label.NORMAL, text="점심 네") for n in range(4)]
    strengths = fit_strengths(calls)

    # In 4 of 4 vishing calls and 0 of 4 normal ones, each count plus a half: odds 9 and 1/9, variance 2 (1/4.5 + 1/.5).
    assert strengths["계좌"] == pytest.approx(4.394449 / 4.444444**0.5, rel=1e-5)
    assert strengths["점심"] == pytest.approx(-strengths["계좌"])
    assert strengths["네"] == 0


def test_a_frequent_word_is_stronger_than_a_rare_one_that_is_as_one_sided() -> None:
    calls = [Call(f"v{n}", Label.VISHING, text="계좌 드문말" if n == 0 else "계좌") for n in range(9)]
    strengths = fit_strengths([*calls, *(Call(f"n{n}", Label.NORMAL, text="점심") for n in range(9))])

    assert strengths["계좌"] > strengths["드문말"] > 0


def test_hard_calls_are_those_of_hard_scenarios_or_with_seconds_or_as_asked() -> None:
    synthetic = generate_calls(80, seed=0)
    timed = Call("t", Label.NORMAL, segments=(Segment(0, 1, "네"),), source="centre")
    plain = Call("p", Label.NORMAL, text="네", source="talk")
    vishing = Call("v", Label.VISHING, text="계좌", source="talk")
    hard = choose_hard(synthetic)

    assert 0 < len(hard) < sum(call.label is Label.NORMAL for call in synthetic)
    assert choose_hard([timed, plain, vishing]) == [timed]
    assert choose_hard([plain, vishing]) == [plain]
    assert choose_hard([timed, plain, vishing], "all") == [timed, plain]
    assert choose_hard([timed, plain, vishing], "timed") == [timed]
    assert choose_hard([timed, plain, vishing], "talk,other") == [plain]
    with pytest.raises(BadInputError):
        choose_hard([timed, plain, vishing], "nowhere")


def test_every_clause_holds_its_word_with_the_right_particle_and_is_short() -> None:
    for word, clauses in _clauses().items():
        assert len(set(clauses)) == len(clauses) >= 5
        for clause in clauses:
            held = next(each for each in clause.split() if word in each)
            ending = held.partition(word)[2]
            for particle in Particle:
                if ending in particle.split("/"):
                    assert held.endswith(with_particle(word, particle))
            assert len(clause.split()) <= 7
            assert sum(other in clause for other in KEYWORDS) == 1


def test_the_clauses_are_of_the_five_words() -> None:
    assert tuple(_clauses()) == KEYWORDS


def _all_clauses() -> set[str]:
    return {clause for clauses in _clauses().values() for clause in clauses}


def _is_within(shorter: Sequence[str], longer: Sequence[str]) -> bool:
    rest = iter(longer)
    return all(word in rest for word in shorter)
