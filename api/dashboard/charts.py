"""A chart as the table that it is drawn from: whoever doesn't see the picture, or runs no script, has the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.page.text import Text, decimal, percent

Role = Literal["line", "dash", "low", "high", "bar", "mark"]
"""How a column is drawn: a line, a dashed one, either end of a band, a bar on top of the bars before it, or a dot."""

Unit = Literal["percent", "decimal", "count"]


@dataclass(frozen=True, slots=True)
class Column:
    """One series.

    Attributes:
        ink: Name of a colour of the style sheet.
    """

    name: Text
    role: Role
    ink: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and the table below it.

    Attributes:
        name: Unique in the page.
        caption: What it shows.
        summary: The same in a sentence, for who can't see it.
        across: Heading of the labels.
        labels: A row each, from left to right in the picture.
        columns: A series each.
        rows: A value a column; ``None`` where there is none.
        unit: How values are printed.
    """

    name: str
    caption: Text
    summary: Text
    across: Text
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[float | None, ...], ...]
    unit: Unit

    def __post_init__(self) -> None:
        """Refuse rows that don't fit the columns.

        Raises:
            ValueError: They don't.
        """
        if len(self.rows) != len(self.labels) or any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a chart needs a row a label and a value a column")

    @property
    def is_stacked(self) -> bool:
        """Whether its bars stand on top of one another."""
        return any(column.role == "bar" for column in self.columns)

    @property
    def keys(self) -> tuple[Column, ...]:
        """What its key names; a band belongs to its line."""
        return tuple(column for column in self.columns if column.role not in ("low", "high"))

    def printed(self, value: float | None) -> str:
        """Print a value of the table."""
        if value is None:
            return "–"
        match self.unit:
            case "percent":
                return percent(value)
            case "count":
                return decimal(value, 0)
            case "decimal":
                return decimal(value, 3)


def last_value(rows: Sequence[Sequence[float | None]], column: int) -> float | None:
    """Return a column's last value that is there."""
    return next((row[column] for row in reversed(rows) if row[column] is not None), None)
