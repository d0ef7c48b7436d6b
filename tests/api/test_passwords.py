from __future__ import annotations

import unicodedata

import pytest

from api.people.passwords import (
    LONGEST_PASSWORD,
    PRODUCTION_COST,
    SHORTEST_PASSWORD,
    PasswordCost,
    Passwords,
    require_usable,
)
from api.problems import ProblemError
from models.errors import UsageError
from tests.api.conftest import CHEAP


@pytest.mark.parametrize(
    "password",
    [
        "four words nobody guesses",
        "수달은 물가에서 조용히 산다",
        "Tr0ub4dor&3 and more",
        "        .       x",
        "xK9-vvqLm2Rt",
        "가나다라마바사아자차카타파하" * 9,
    ],
)
def test_a_password_may_hold_anything(password: str) -> None:
    assert require_usable(password, "quiet-river")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "x" * 11,
        "short words",
        "aaaaaaaaaaaa",
        "abcabcabcabcabc",
        "123412341234",
        "123456789012",
        "210987654321",
        "qwertyuiopas",
        "password1234",
        "Password123!",
        "quiet-river1",
        "QUIET-RIVER12",
        "보이스피싱보이스피싱12",
        "x" * 129,
        "four words nobody guesses" * 6,
    ],
)
def test_a_password_that_is_easily_guessed_or_too_long_is_refused_and_not_quoted(password: str) -> None:
    with pytest.raises(ProblemError) as refusal:
        require_usable(password, "quiet-river")
    assert refusal.value.problem.slug == "password-refused"
    assert not password or password not in str(refusal.value)


def test_every_character_of_the_longest_password_counts() -> None:
    passwords = Passwords(CHEAP)
    longest = "ab한 글!" * 22
    longest = longest[:LONGEST_PASSWORD]
    stored = passwords.hash(longest)
    assert passwords.is_right(stored, longest)
    assert not passwords.is_right(stored, longest[:-1])
    assert not passwords.is_right(stored, longest[:-1] + "x")
    assert len(longest) == LONGEST_PASSWORD > SHORTEST_PASSWORD


def test_a_password_is_the_same_however_its_letters_are_put_together() -> None:
    passwords, typed = Passwords(CHEAP), "비밀스러운 긴 문장입니다"
    taken_apart = unicodedata.normalize("NFD", typed)
    assert taken_apart != typed
    assert passwords.is_right(passwords.hash(typed), taken_apart)


def test_a_stored_hash_that_is_damaged_opens_for_nobody() -> None:
    passwords = Passwords(CHEAP)
    for stored in ("", "x", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", passwords.hash("one password here")[:-4]):
        assert not passwords.is_right(stored, "one password here")


def test_a_cost_that_protects_nobody_is_for_tests_only() -> None:
    with pytest.raises(UsageError, match="19 MiB"):
        PasswordCost(memory_kib=8)
    with pytest.raises(UsageError):
        PasswordCost(passes=1)
    assert (PRODUCTION_COST.memory_kib, PRODUCTION_COST.passes) == (19456, 2)


def test_a_hash_of_another_cost_is_made_anew() -> None:
    stored = Passwords(CHEAP).hash("one password here")
    assert not Passwords(CHEAP).is_outdated(stored)
    assert Passwords(PasswordCost(memory_kib=16, passes=1, for_tests=True)).is_outdated(stored)
