"""What a plugged-in language model says of a call is shown only where it keeps the rules; else the templates speak."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from models.detector.explanation import Explainer, Finding, TemplateExplainer, frame_warning
from models.domain.release import Verdict
from models.text.clean import split_words
from models.text.empty_words import meaningful_stem, stem_of

LONGEST_REASON = 400
"""Letters, spaces counted, of a reason that is shown."""

_LEAST_HANGUL = 0.5
"""Share of a reason's letters."""

_TELLING_PREFIX = 3
"""Words that begin alike for so many letters are taken for forms of one; Korean words change at their ends."""

_HANGUL, _DIGITS, _TITLE = re.compile(r"[가-힣]"), re.compile(r"[0-9]+"), re.compile(r"(씨|님)$")
_LATIN = re.compile(r"[a-z]")
_OTHER_LETTERS = re.compile(r"[^\W_0-9A-Za-z가-힣]")
_READ_OUT = str.maketrans("공영일이삼사오육륙칠팔구", "001234566789")
_READ_OUT_RUN = re.compile(r"(?<![0-9])[0-9]{3}")
"""The beginning of a number that tells something, also where one side writes it and the other reads it out."""


class CheckedExplainer:
    """Asks a plugged-in explainer for a reason, and shows it only where it may be shown.

    It is asked about warnings only, and what it says stands between our own opening and advice: a caller who talks the
    model round (prompt injection) can't turn a warning into its opposite. A reason has to be Korean, printable, at most
    `LONGEST_REASON` letters, and may hold no word or number of the call that is neither a key token nor in our own
    sentences.

    Attributes:
        asked: How often the explainer was asked.
        replaced: How often the templates had to speak instead.
    """

    def __init__(self, plugged_in: Explainer) -> None:
        self._plugged_in = plugged_in
        self._templates = TemplateExplainer()
        self.asked = self.replaced = 0

    def explain(self, finding: Finding) -> str:
        """Return the plugged-in reason, or the templates' one where that fails or breaks a rule."""
        templates = self._templates.explain(finding)
        if finding.verdict is Verdict.NORMAL:
            return templates
        self.asked += 1
        try:
            reason = " ".join(unicodedata.normalize("NFKC", self._plugged_in.explain(finding)).split())
            shown = _is_sayable(reason) and not repeats_call(reason, templates, finding)
        except Exception:  # whatever a foreign model raises, a warning must still come
            shown = False
        self.replaced += not shown
        return frame_warning(finding.verdict, reason) if shown else templates


def repeats_call(reason: str, templates: str, finding: Finding) -> bool:
    """Tell whether a reason holds a word or a number of the call that it may not hold.

    A word of the call that says something (`meaningful_stem`) is found in any form, also where it stands inside another
    word or is spelled with spaces. What the templates say of the same finding, the names of evidence and the key tokens
    may be said; words in Latin letters only those. It is strict: words that are alike by chance count, too.
    """
    ours = _words_of([templates, *(kind.name for kind in finding.evidence), *finding.key_tokens])
    ours_stems = {stem_of(word) for word in ours}
    theirs = {stem for word in finding.words if (stem := meaningful_stem(word)) and stem not in ours_stems}
    said = [word for word in _words_of([reason]) if stem_of(word) not in ours_stems]
    if any(_LATIN.search(word) for word in said) or _holds_number(said, finding.words):
        return True
    return any(_holds(said, _TITLE.sub("", stem)) for stem in theirs)


def _holds(said: list[str], stem: str) -> bool:
    if len(stem) < _TELLING_PREFIX:
        # Syllables that stand alone may spell it: 길 동.
        spelled = "".join(word if len(word) == 1 else f" {word} " for word in said)
        return len(stem) > 1 and stem in spelled
    return stem in "".join(said) or any(word.startswith(stem[:_TELLING_PREFIX]) for word in said)


def _holds_number(said: list[str], heard: Iterable[str]) -> bool:
    written, reason = "".join(heard), " ".join(said)
    if any(number in written for number in _DIGITS.findall(reason)):
        return True
    read_out = _READ_OUT_RUN.findall(reason.translate(_READ_OUT))
    return any(beginning in written.translate(_READ_OUT) for beginning in read_out)


def _words_of(texts: Iterable[str]) -> list[str]:
    return [word.casefold() for text in texts for word in split_words(text)]


def _is_sayable(reason: str) -> bool:
    letters = sum(map(str.isalpha, reason))
    korean = len(_HANGUL.findall(reason)) >= max(_LEAST_HANGUL * letters, 1)
    return korean and len(reason) <= LONGEST_REASON and reason.isprintable() and not _OTHER_LETTERS.search(reason)
