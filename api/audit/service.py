"""Writing the audit log, reading it in pages, and verifying it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from api.audit import repository
from api.audit.chain import START, Anchor, AuditRow, Deed, follow, verify_chain
from api.database import Lock, hold_lock
from api.people.repository import operator_names
from models.durable_file import append_durably
from models.errors import BadInputError


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some rows, the newest first.

    Attributes:
        operators: Login names of those who are operators now, by id; rows hold no names.
        before: Where the next page goes on; ``None`` at the beginning of the log.
    """

    rows: tuple[AuditRow, ...]
    operators: Mapping[str, str]
    before: int | None


def append_deed(connection: Connection, deed: Deed) -> None:
    """Add a deed in the transaction that does it.

    The last thing that a transaction writes: until it ends, nobody else can add to the chain.
    """
    hold_lock(connection, Lock.AUDIT)
    repository.add_row(connection, follow(repository.find_head(connection), deed))


def read_page(connection: Connection, before: int | None, limit: int) -> AuditPage:
    """Return the newest rows, or those before a number."""
    rows = tuple(repository.newest_rows(connection, before, limit))
    return AuditPage(rows, operator_names(connection), rows[-1].number if rows and rows[-1].number > 1 else None)


def verify_log(connection: Connection, anchors: Path | None = None) -> Anchor:
    """Verify every row and return how the chain ends now.

    Args:
        connection: To a migrated database.
        anchors: File of the ends that it had before, one a line; today's is added to it. The further from the database
            it is kept, the more it shows.

    Raises:
        AuditBrokenError: A row is missing or was changed; it names the first.
        BadInputError: The file can't be read or written, or holds something else.
    """
    known = [] if anchors is None else _read_anchors(anchors)
    head = verify_chain(repository.all_rows(connection), known)
    if anchors is not None and head not in (START, *known[-1:]):
        _keep_anchor(anchors, head)
    return head


def _read_anchors(path: Path) -> list[Anchor]:
    try:
        return [Anchor.parse(line) for line in path.read_text("ascii").splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        raise BadInputError(f"{path} can't be read") from None


def _keep_anchor(path: Path, head: Anchor) -> None:
    try:
        append_durably(path, str(head).encode())
    except OSError as error:
        raise BadInputError(f"{path} can't be written: {error.strerror}") from None
