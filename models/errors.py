"""Every error that people meet, by subject; the exit code of the command line follows from the branch."""

from __future__ import annotations

from typing import ClassVar


class HearsayError(Exception):
    """The root: one clear line for the user, nothing secret in it."""

    exit_code: ClassVar[int] = 1


class UsageError(HearsayError):
    """The command was asked for something that it doesn't offer."""

    exit_code = 2


class BadInputError(HearsayError):
    """What was given to read can't be used as it is."""

    exit_code = 3


class ExclusiveProtectionsError(UsageError):
    """Two protections were asked for that can't be had together."""


class RefusedError(HearsayError):
    """A rule forbids it: consent, privacy budget, signature, quorum."""

    exit_code = 4


class UnreachableError(HearsayError):
    """A server or a port that is needed is not to be had."""

    exit_code = 5


class CallFileError(BadInputError):
    """A line of a call file can't be used.

    The reason never quotes the line: it may be somebody's call.
    """

    def __init__(self, path: object, line: int | None, reason: str) -> None:
        self.path, self.line, self.reason = path, line, reason
        place = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {reason}")


class ScenarioFileError(BadInputError):
    """A scenario file doesn't follow the format, so no call can be made from it."""

    def __init__(self, path: object, scenario: str | None, reason: str) -> None:
        self.path, self.scenario, self.reason = path, scenario, reason
        place = f"{path}" if scenario is None else f"{path}, scenario {scenario}"
        super().__init__(f"{place}: {reason}")


class PseudonymKeyError(BadInputError):
    """The key of pseudonyms can't be read, written or used."""


class WordVectorsFileError(BadInputError):
    """A file of word vectors can't be made into an embedding."""

    def __init__(self, path: object, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class SplitError(BadInputError):
    """The calls can't be split so that both sides hold both labels."""


class ModelFileError(BadInputError):
    """A detector's files are missing, damaged or don't belong together."""


class OutputError(BadInputError):
    """What was asked for can't be written."""


class CheckpointError(BadInputError):
    """A saved run can't be gone on with: damaged, or made under other settings."""


class LedgerError(BadInputError):
    """A privacy ledger can't be read or written, or lacks charges, so nothing may be trained."""


class ConsentRefusedError(RefusedError):
    """There is no consent for this purpose."""


class BudgetSpentError(RefusedError):
    """A privacy budget doesn't allow one more use."""


class TaskRefusedError(RefusedError):
    """A device's own policy forbids a task: a seed, a wide clip, missing noise, another round or release, too late.

    So does one that it doesn't understand: values missing, unknown or out of range, or another network's model.
    """


class QuorumError(RefusedError):
    """Too few devices are there to begin a round."""


class FolderInUseError(RefusedError):
    """Another process works on this run."""


class SignatureRefusedError(RefusedError):
    """A signature is missing, wrong, expired or replayed."""


class KeyExposedError(RefusedError):
    """A key can be read by others than its owner."""


class AuditBrokenError(RefusedError):
    """The audit log isn't what was written; ``number`` is the first row that shows it."""

    def __init__(self, number: int, reason: str) -> None:
        self.number, self.reason = number, reason
        super().__init__(f"audit log: row {number} {reason}")


class OverwriteRefusedError(RefusedError):
    """A file of that name is there and is kept."""

    def __init__(self, path: object) -> None:
        self.path = path
        super().__init__(f"{path}: is there already and is not overwritten")


class UpdateRefusedError(RefusedError):
    """A device's update can't be folded in; ``fate`` says why, in the words of ``ReplyFate``."""

    def __init__(self, fate: str) -> None:
        self.fate = fate
        super().__init__(f"update refused: {fate}")


class ProtocolRefusedError(RefusedError):
    """A device or the server takes no part in this: the other side departed from secure aggregation's protocol."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"secure aggregation refused: {reason}")


class RoundAbortedError(RefusedError):
    """A secure round ended without a sum: too few devices were left, or one of them sent what can't be right."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the secure round was aborted: {reason}")


class RegistryError(BadInputError):
    """The registry's folder or one of its records can't be used."""


class RecordExistsError(RefusedError):
    """A record of that name is there already; records are never overwritten."""


class ReleasesChangedError(RefusedError):
    """An order was given under other releases than there are now."""


class GateRefusedError(RefusedError):
    """A model was not good enough on the server's acceptance set to be released."""
