"""The calendar of the statistics: weeks, fixed for everybody, so that nobody can pick the moment of a release."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from models.errors import BadInputError

KOREA = timezone(timedelta(hours=9), "KST")
"""Weeks start on Monday at midnight in Korea, which knows no summer time."""

_NAME = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One ISO week. Devices report on it in the week after; then its figures are released.

    Attributes:
        monday: The day it starts on.
    """

    monday: date

    @classmethod
    def containing(cls, moment: datetime) -> Window:
        """Return the week that a moment (with its time zone) falls into."""
        day = moment.astimezone(KOREA).date()
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def parse(cls, name: str) -> Window:
        """Return the week of a name such as ``2026-W47``.

        Raises:
            BadInputError: There is no such week.
        """
        match = _NAME.fullmatch(name)
        try:
            year, week = (int(match[1]), int(match[2])) if match else (0, 0)
            return cls(date.fromisocalendar(year, week, 1))
        except ValueError:
            raise BadInputError("expected a window as YEAR-Wweek, such as 2026-W47") from None

    @property
    def name(self) -> str:
        """The week as in the API: ``2026-W47``."""
        year, week, _ = self.monday.isocalendar()
        return f"{year}-W{week:02d}"

    @property
    def number(self) -> int:
        """The week counted since Monday, 1 January of the year 1; the next one's is one more, in every year."""
        return (self.monday.toordinal() - 1) // 7

    @property
    def starts(self) -> datetime:
        """The first moment that belongs to it."""
        return datetime.combine(self.monday, time(), KOREA)

    @property
    def ends(self) -> datetime:
        """The first moment after it; from here on devices draw and send their reports."""
        return self.starts + _WEEK

    @property
    def collected_until(self) -> datetime:
        """The first moment at which no report on it is taken any more."""
        return self.ends + _WEEK


def open_window(now: datetime) -> Window:
    """Return the only week that reports are taken for now: the last one that is over."""
    return Window.containing(now - _WEEK)
