"""Functions that Numba compiles for the machine that they run on, and keeps beside the source.

What is kept is a convenience: where it can't be read or written, it is damaged or of another source, the function is
compiled anew, and nobody hears of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
)

Compiled = TypeVar("Compiled", bound=Callable[..., object])


def compiled_with(*liberties: str) -> Callable[[Compiled], Compiled]:
    """Return what compiles a function at its first call, with liberties in floating-point arithmetic, by LLVM's names.

    They don't depend on the run: equal machines give equal bits.
    """

    def compile_it(function: Compiled) -> Compiled:
        dispatcher: Any = njit(fastmath=set(liberties), error_model="numpy")(function)
        with suppress(RuntimeError):  # no folder can be written: each process compiles its own
            dispatcher._cache = _Kept(function)  # type: ignore[no-untyped-call]
        return cast("Compiled", dispatcher)

    return compile_it


class _NamedBySource(CompileResultCacheImpl):
    """Files named after the source itself: its age and size, which Numba goes by, may stay while it changes."""

    # Beside the source, as Python's own compiled files, or in NUMBA_CACHE_DIR. Not in a folder of the person's: who
    # has no home gets one named ~ wherever the process stands.
    _locator_classes = [UserProvidedCacheLocator, InTreeCacheLocator]  # noqa: RUF012

    def __init__(self, function: Any) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._source = hashlib.sha256(Path(function.__code__.co_filename).read_bytes()).hexdigest()[:16]

    @property
    def filename_base(self) -> str:
        return f"{super().filename_base}-{self._source}"


class _Kept(FunctionCache):
    """Compiled functions on disk. A power cut or a full disk may leave half a file, which Numba would stumble over."""

    _impl_class = _NamedBySource

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            return super().load_overload(signature, target)  # type: ignore[no-untyped-call]
        except Exception:  # whatever unpickling and linking of damaged files raise
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, signature: Any, made: Any) -> None:
        with suppress(Exception):
            super().save_overload(signature, made)  # type: ignore[no-untyped-call]
