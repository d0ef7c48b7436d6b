"""What a speech recogniser makes of a call: the errors that stand in real transcripts, at a rate that can be set."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence

from models.corpus.speech import read_pairs, read_speech

_TABLES = read_speech()["recogniser"]
_PARTICLES: tuple[str, ...] = tuple(_TABLES["particles"])
_ENDINGS = read_pairs(_TABLES["endings"])
_HOMOPHONES = read_pairs(_TABLES["homophones"])
_ALIKE = dict(read_pairs(_TABLES["letters"]))

_HESITATIONS = frozenset(_TABLES["hesitations"])

Word = str
Change = Callable[[Word, random.Random], Word]


def misrecognise(words: Sequence[Word], rate: float, rng: random.Random) -> list[Word]:
    """Return the words as a recogniser would write them.

    Args:
        words: What was said (어절).
        rate: Share of the words that are touched, 0 to 1. 0 returns the words unchanged.
        rng: Every draw comes from it.

    Returns:
        As many words, or some more or fewer: words are run together, cut in two and lost.
    """
    heard: list[Word] = []
    for word in words:
        if rng.random() >= rate:
            heard.append(word)
            continue
        match rng.choices(("join", "cut", "lose", "change"), weights=(25, 15, 8, 52))[0]:
            case "join" if heard:
                heard[-1] += word
            case "cut" if len(word) > 1:
                place = rng.randrange(1, len(word))
                heard += [word[:place], word[place:]]
            case "lose" if len(words) > 1:
                pass
            case _:
                heard.append(_changed(word, rng))
    return heard


def cut_ends(words: Sequence[Word], rng: random.Random, *, longest: int) -> tuple[int, int]:
    """Return how many words are missing at the beginning and at the end of a recording, each at most ``longest``."""
    allowed = min(longest, max(0, (len(words) - 1) // 4))
    return (_cut(allowed, rng), _cut(allowed, rng))


def leave_out_hesitations(words: Sequence[Word]) -> list[Word]:
    """Return the words without sounds of hesitation (음, 어), as recognisers write that learnt from clean transcripts.

    A turn that is nothing else is kept: there the sound is an answer.
    """
    return [word for word in words if word not in _HESITATIONS] or list(words)


def _cut(allowed: int, rng: random.Random) -> int:
    return rng.randint(0, allowed) if allowed and rng.random() < 0.4 else 0


def _changed(word: Word, rng: random.Random) -> Word:
    change: Change = rng.choices((_drop_particle, _swap_ending, _swap_homophone, _mishear), weights=(3, 3, 3, 3))[0]
    changed = change(word, rng)
    return changed if changed != word else _mishear(word, rng)


def _drop_particle(word: Word, rng: random.Random) -> Word:
    for particle in _PARTICLES:
        if word.endswith(particle) and len(word) > len(particle) + 1:
            return word.removesuffix(particle)
    return word


def _swap_ending(word: Word, rng: random.Random) -> Word:
    swaps = [(said, heard) for said, heard in _ENDINGS if word.endswith(said)]
    if not swaps:
        return word
    said, heard = rng.choice(swaps)
    return word.removesuffix(said) + heard


def _swap_homophone(word: Word, rng: random.Random) -> Word:
    swaps = [(said, heard) for said, heard in _HOMOPHONES if word.startswith(said)]
    if not swaps:
        return word
    said, heard = rng.choice(swaps)
    return heard + word.removeprefix(said)


def _mishear(word: Word, rng: random.Random) -> Word:
    """Put a letter that sounds alike in the place of one or two letters."""
    letters = list(unicodedata.normalize("NFD", word))
    places = [place for place, letter in enumerate(letters) if letter in _ALIKE]
    for place in rng.sample(places, min(len(places), rng.choice((1, 1, 2)))):
        letters[place] = _ALIKE[letters[place]]
    return unicodedata.normalize("NFC", "".join(letters))
