from __future__ import annotations

import pytest

from models.corpus.sentence_ends import ends_sentence


@pytest.mark.parametrize(
    "word",
    [
        "했어요",
        "합니다",
        "먹는다",
        "갔다",
        "없다",
        "것이다",
        "합니까",
        "할까",
        "그렇죠",
        "네",
        "네네",
        "뭐?",
        "가자!",
        "그래요.",
    ],
)
def test_a_sentence_may_be_over(word: str) -> None:
    assert ends_sentence(word)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "다",
        "보다",
        "날마다",
        "하니까",
        "있으니까",
        "필요",
        "중요",
        "동네",
        "하는데",
        "먹고",
        "그런데요",
        "하지만",
        "근데요",
    ],
)
def test_a_sentence_goes_on_or_may_go_on(word: str) -> None:
    assert not ends_sentence(word)
