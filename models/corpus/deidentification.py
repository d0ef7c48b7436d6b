"""Imported calls without what tells a person: numbers, names, addresses of the net, transcriber's marks."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from unicodedata import normalize

from models.corpus.masks import SEAM, Identifier, Masker
from models.corpus.name_masks import mask_names
from models.corpus.number_masks import mask_numbers
from models.corpus.transcriber_marks import mask_what_was_taken_out, remove_marks
from models.domain.call import Call

# Lengths are bounded and a match begins at the start of a word: a text of any length takes time in proportion.
_LABELS = r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}"
_EMAIL = re.compile(rf"(?<![\w.+-])[\w.+-]{{1,64}}\s?@\s?{_LABELS}", re.ASCII)
_TOP_LEVEL = "com|net|org|kr|cc|me|ly|info|xyz|app"
_LINK = re.compile(
    rf"(?:https?://|(?<!\w)www\.)[^\s가-힣<>]+|(?<![\w.-]){_LABELS}\.(?:{_TOP_LEVEL})\b[^\s가-힣<>]*",
    re.ASCII | re.IGNORECASE,
)

_UNSEEN = re.compile(
    "[\u00ad\u034f\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\uffa0\ufeff]"
)
_FULL_WIDTH = {code + 0xFEE0: code for code in range(ord("!"), ord("~") + 1)}
_OTHER_DIGITS = re.compile(r"[^\D0-9]")

_MOST_PASSES = 20
"""Two are the rule; only text made for it, such as remarks within remarks within remarks, needs as many."""


@dataclass(frozen=True, slots=True)
class MaskedCall:
    """A call after masking.

    Attributes:
        call: The call, its segments' times unchanged.
        counts: How often what was masked, by ``Identifier``; marks that were taken out under ``MARK``.
    """

    call: Call
    counts: Counter[str]


def deidentify_call(call: Call) -> MaskedCall:
    """Mask a call. What reaches over two segments, such as a number said in parts, is found; the first gets the mask.

    Guarantees: doing it twice changes nothing more; no more than ``LONGEST_LEFT`` digits in a row stay, amounts of
    money apart; a text without identifiers or marks stays as it is, written plainly: composed (NFC), without signs that
    nobody sees, full-width signs and other scripts' digits as common ones. It is no proof that nobody can be told:
    given names alone, addresses, employers and what is told of a life stay. `find_places_to_check` lists some.
    """
    masker = Masker()
    parts = [segment.text for segment in call.segments] or [call.text]
    masked = _masked(SEAM.join(part.replace(SEAM, " ") for part in parts), masker).split(SEAM)
    source = _masked(call.source.replace(SEAM, " "), masker)
    if call.segments:
        segments = tuple(replace(part, text=text) for part, text in zip(call.segments, masked, strict=True))
        return MaskedCall(replace(call, segments=segments, source=source), masker.counts)
    return MaskedCall(replace(call, text=masked[0], source=source), masker.counts)


def _masked(text: str, masker: Masker) -> str:
    """Mask until nothing more is found: what one step takes out can bring together what another masks."""
    for _ in range(_MOST_PASSES):
        before, text = text, _masked_once(text, masker)
        if text == before:
            break
    return text


def _masked_once(text: str, masker: Masker) -> str:
    text = remove_marks(_written_plainly(text), masker)
    text = _EMAIL.sub(masker.masking(Identifier.EMAIL), text)
    text = _LINK.sub(masker.masking(Identifier.LINK), text)
    text = mask_numbers(text, masker)
    text = mask_what_was_taken_out(text, masker)
    return mask_names(text, masker)


def _written_plainly(text: str) -> str:
    text = normalize("NFC", _UNSEEN.sub("", text)).translate(_FULL_WIDTH)
    return _OTHER_DIGITS.sub(lambda found: str(int(found[0])), text)
