"""Dates and times of day, in the one form that is read the same everywhere: 2026-01-31, 14:05."""

from datetime import date, datetime, time

from kiosk.views.words import _

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def date_text(value: date | None) -> str:
    """ISO 8601, or "?" when unknown."""
    return "?" if value is None else value.isoformat()


def time_text(value: time | None) -> str:
    """Hours and minutes, or nothing when unknown."""
    return "" if value is None else f"{value.hour:02}:{value.minute:02}"


def clock_face(now: datetime) -> str:
    """Hours and minutes of a local time."""
    return f"{now.hour:02}:{now.minute:02}"


def day_line(now: datetime) -> str:
    """The weekday and the date of a local time."""
    return f"{_(_DAYS[now.weekday()])}, {now.date().isoformat()}"
