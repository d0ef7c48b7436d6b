"""Likeness is measured by figures that can be told by hand, and no word of real calls is among them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from models.__main__ import main
from models.corpus.generator import generate_calls
from models.corpus.likeness import common_words, compare_with, measure_calls, tell_apart
from models.corpus.reader import write_calls
from models.domain.call import Call, Label, Segment

SYNTHETIC = generate_calls(60, seed=61, vishing_share=0.0)
OTHERS = generate_calls(60, seed=62, vishing_share=0.0)
SECRET = "낱말비밀"


def foreign(number: int) -> Call:
    """Calls of words that no synthetic call holds, and that share hardly one with another."""
    letters = random.Random(number)
    words = ["".join(chr(letters.randrange(ord("가"), ord("힣"))) for _ in range(3)) for _ in range(30)]
    return Call(f"real-{number}", Label.NORMAL, text=f"{SECRET} {' '.join(words)} {SECRET}훌훌 뷁뷁")


def test_length_pace_and_variety_are_counted() -> None:
    words = ["가나"] * 50 + [f"다{number}" for number in range(50)]
    timed = Call("a", Label.NORMAL, (Segment(0, 50, " ".join(words)),))
    figures = measure_calls([timed, Call("b", Label.NORMAL, text="가나 다라")])
    assert figures["calls"] == 2
    assert figures["words"] == [12, 51, 90]  # quantiles of 2 and 100 words
    assert (figures["seconds"], figures["words_a_second"], figures["words_by_30_s"]) == (50.0, 2.0, 60.0)
    assert figures["type_token_ratio"] == 0.51


def test_what_no_call_has_is_none() -> None:
    figures = measure_calls([Call("b", Label.NORMAL, text="가나 다라")])
    assert (figures["seconds"], figures["words_a_second"], figures["type_token_ratio"]) == (None, None, None)


def test_the_most_common_words_come_first() -> None:
    calls = [Call("a", Label.NORMAL, text="네 네 네 그래 그래 뭐")]
    assert common_words(calls) == ["네", "그래", "뭐"]


def test_calls_of_one_corpus_share_their_words_and_can_hardly_be_told_apart() -> None:
    alike = compare_with(SYNTHETIC, OTHERS)
    assert alike["common_words_shared"] >= 20
    assert alike["rank_correlation"] > 0.3
    # Below 0.5 it is no likeness lost: a call's twin of the same scenario was learnt as one of the other side.
    assert alike["roc_auc"] < 0.7


def test_calls_of_other_words_are_always_told_apart() -> None:
    alike = compare_with(SYNTHETIC, [foreign(number) for number in range(40)])
    assert alike["common_words_shared"] == 0
    assert alike["roc_auc"] == 1.0


def test_too_few_recordings_to_make_five_folds_give_no_figure() -> None:
    one = [Call(f"r{number}", Label.NORMAL, text=foreign(1).text) for number in range(20)]
    assert tell_apart(SYNTHETIC, one) is None


def test_the_command_prints_words_of_synthetic_calls_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "real.jsonl"
    write_calls(path, [foreign(number) for number in range(20)])
    assert main(["corpus", "--against", str(path), "--synthetic", "80", "--json"]) == 0
    printed = capsys.readouterr()
    figures = json.loads(printed.out)
    assert SECRET not in printed.out + printed.err
    assert len(figures["normal"]["common_words"]) == 30
    assert figures["normal"]["real"]["calls"] == 20
    assert figures["normal"]["alike_by_source"].keys() == {"unknown"}
    assert "real" not in figures["vishing"]
    assert main(["corpus", "--synthetic", "40"]) == 0
    assert capsys.readouterr().out == ""
