"""Passwords: which ones are taken, and how they are kept (argon2id, RFC 9106)."""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import dataclass
from typing import NoReturn

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.problems import Problem, ProblemError
from models.errors import UsageError

SHORTEST_PASSWORD = 12
"""Characters. NIST SP 800-63B and ASVS 5 (6.2.1) ask for 8 at least; there is no second factor here."""

LONGEST_PASSWORD = 128
"""Characters; what is longer is refused, never cut."""

_AT_ONCE = 4
"""Passwords that are hashed at the same time, so that logins can't use all memory up."""

_LONGEST_UNIT = 4
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "1q2w3e4r5t6y7u8i9o0p")
_COMMON = (
    "password", "passw0rd", "p@ssw0rd", "iloveyou", "welcome", "letmein", "administrator", "admin", "qwerty",
    "hearsay", "voicephishing", "changeme", "football", "baseball", "superman", "sunshine", "princess", "dragon",
    "monkey", "비밀번호", "대한민국", "사랑해요", "안녕하세요", "보이스피싱",
)  # fmt: skip
_SHORTEST_REST = 6
"""Characters that a password must have beside a common word."""


@dataclass(frozen=True, slots=True)
class PasswordCost:
    """What guessing one password costs.

    Attributes:
        memory_kib: KiB of memory.
        passes: Passes over it.
        for_tests: Allows costs that protect nobody.
    """

    memory_kib: int = 19 * 1024
    passes: int = 2
    for_tests: bool = False

    def __post_init__(self) -> None:
        """Refuse a cost below OWASP's floor for argon2id.

        Raises:
            UsageError: It is too cheap to protect people.
        """
        if not self.for_tests and (self.memory_kib < 19 * 1024 or self.passes < 2):
            raise UsageError("passwords of people need argon2id with 19 MiB and 2 passes at least")


PRODUCTION_COST = PasswordCost()
"""19 MiB and 2 passes: the floor that OWASP names, since an attacker can make us pay it."""


def require_usable(password: str, name: str) -> str:
    """Return a password as it is to be hashed; there are no rules on which kinds of characters it holds.

    Args:
        password: As it was typed.
        name: The login name, which it must not rest on.

    Raises:
        ProblemError: It is too short, too long, or easily guessed. The message doesn't quote it.
    """
    typed = unicodedata.normalize("NFKC", password)
    if not SHORTEST_PASSWORD <= len(typed) <= LONGEST_PASSWORD:
        _refuse(f"expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if _is_easy(typed.casefold(), name):
        _refuse("expected more than a common word, a pattern or the login name")
    return typed


class Passwords:
    """Hashes and compares passwords at one cost."""

    def __init__(self, cost: PasswordCost) -> None:
        self._hasher = PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=1)
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys = self._hasher.hash("the password of nobody")

    def hash(self, password: str) -> str:
        """Return what is stored of a password."""
        with self._turns:
            return self._hasher.hash(unicodedata.normalize("NFKC", password))

    def is_right(self, stored: str | None, password: str) -> bool:
        """Say whether a password is the stored one. It costs the same where nothing is stored: then it never is."""
        with self._turns:
            try:
                matches = self._hasher.verify(stored or self._nobodys, unicodedata.normalize("NFKC", password))
            except (VerificationError, InvalidHashError):
                return False
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Say whether a stored hash was made at another cost."""
        return self._hasher.check_needs_rehash(stored)


def _refuse(detail: str) -> NoReturn:
    raise ProblemError(Problem.PASSWORD_REFUSED, detail)


def _is_easy(typed: str, name: str) -> bool:
    return (
        any(_repeats(typed, length) for length in range(1, _LONGEST_UNIT + 1))
        or any(typed in row * 3 or typed in row[::-1] * 3 for row in _ROWS)
        or any(word and word in typed and len(typed.replace(word, "")) < _SHORTEST_REST for word in (*_COMMON, name))
    )


def _repeats(typed: str, length: int) -> bool:
    return typed == (typed[:length] * len(typed))[: len(typed)]
