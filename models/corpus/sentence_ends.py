"""Where a sentence of spoken Korean is surely over, told by a word's ending: nothing may be worked in before that.

Endings that also join clauses (-니까, -는데, -고) and nouns that sound like an ending (필요, 동네, 보다) end none.
"""

from __future__ import annotations

import re

from models.text.empty_words import joins_sentences

_FIRST, _LAST, _FINALS = ord("가"), ord("힣"), 28
_NIEUN, _RIEUL, _BIEUP, _BIEUP_SIOT, _SSANG_SIOT = 4, 8, 17, 18, 20


def _syllables_ending_in(*finals: int) -> str:
    return "".join(chr(code) for code in range(_FIRST, _LAST + 1) if (code - _FIRST) % _FINALS in finals)


_END = re.compile(
    r".*[.?!]|[네예넵]+|.*죠|.*(?<![필중주수])요"
    rf"|.*(?:니|이|[{_syllables_ending_in(_NIEUN, _BIEUP_SIOT, _SSANG_SIOT)}])다"
    rf"|.*(?:[{_syllables_ending_in(_BIEUP)}]니|[{_syllables_ending_in(_RIEUL)}])까"
)


def ends_sentence(word: str) -> bool:
    """Return whether a sentence is surely over with this word, punctuation counted."""
    return _END.fullmatch(word) is not None and not joins_sentences(word)
