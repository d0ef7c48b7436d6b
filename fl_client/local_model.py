"""A language model on this device, run as a command that reads a question and answers it.

Question and answer go through pipes. Nothing of the call stands in the command's arguments, where others could see it.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import IO

from models.detector.explanation import VERDICT_NAMES, Finding
from models.errors import HearsayError, UsageError

DEFAULT_SECONDS = 20.0

_MOST_ANSWER_BYTES = 16_384
_MOST_TRANSCRIPT_LETTERS = 2000
"""Of the end of what was heard. The question then fits a pipe, so that a model that doesn't read can't hold us up."""

_QUESTION = """다음은 통화 내용을 기기 안에서 판정한 결과입니다. 왜 그렇게 판정했는지 한국어 한두 문장으로 설명하세요.
핵심어 말고는 통화에 나온 낱말, 이름, 숫자를 쓰지 마세요. 설명만 쓰세요.

판정: {verdict}
핵심어: {tokens}
들린 것: {evidence}
통화: {transcript}

설명:"""


class LocalModelError(HearsayError):
    """The language model's command failed, was too slow or gave no answer."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """An `Explainer` over a command. Its answers are unchecked: put a `CheckedExplainer` around it.

    Attributes:
        command: Program and arguments.
        seconds: After which the program is ended.
    """

    command: Sequence[str]
    seconds: float = DEFAULT_SECONDS

    @classmethod
    def parse(cls, command_line: str, seconds: float) -> LocalModel:
        """Return the model of a command line, split as a shell would; no shell runs it.

        Raises:
            UsageError: There is no such program, or a quotation mark is missing.
        """
        try:
            command = shlex.split(command_line)
        except ValueError as error:
            raise UsageError(f"the language model's command can't be read: {error}") from error
        if not command or shutil.which(command[0]) is None:
            raise UsageError(f"there is no program {command[0] if command else ''!r} to run a language model with")
        return cls(command, seconds)

    def explain(self, finding: Finding) -> str:
        """Return what the model answers.

        Raises:
            LocalModelError: It can't be started, fails, answers too late or too much. The message quotes nothing.
        """
        try:
            process = subprocess.Popen(  # noqa: S603
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise LocalModelError("the language model can't be started") from error
        try:
            return self._converse(process, _question_about(finding).encode())
        finally:
            _end(process)

    def _converse(self, process: subprocess.Popen[bytes], question: bytes) -> str:
        until = time.monotonic() + self.seconds
        _hand_over(process.stdin, question)
        answer = _read_until_closed(process.stdout, until)
        try:
            failed = process.wait(max(until - time.monotonic(), 0))
        except subprocess.TimeoutExpired as error:
            raise LocalModelError("the language model took too long") from error
        if failed:
            raise LocalModelError("the language model failed")
        return answer.decode(errors="replace")


def _question_about(finding: Finding) -> str:
    return _QUESTION.format(
        verdict=VERDICT_NAMES[finding.verdict],
        tokens=", ".join(finding.key_tokens),
        evidence=", ".join(kind.name for kind in finding.evidence),
        transcript=" ".join(finding.words)[-_MOST_TRANSCRIPT_LETTERS:],
    )


def _hand_over(pipe: IO[bytes] | None, question: bytes) -> None:
    # A model that closes its input without reading may still answer.
    with suppress(BrokenPipeError), pipe or nullcontext():
        if pipe:
            pipe.write(question)


def _read_until_closed(pipe: IO[bytes] | None, until: float) -> bytes:
    answer = b""
    while pipe and len(answer) <= _MOST_ANSWER_BYTES:
        ready, _, _ = select.select([pipe], [], [], max(until - time.monotonic(), 0))
        if not ready:
            raise LocalModelError("the language model took too long")
        part = os.read(pipe.fileno(), _MOST_ANSWER_BYTES)
        if not part:
            return answer
        answer += part
    raise LocalModelError("the language model says too much")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command with all that it started, and leave nothing open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
