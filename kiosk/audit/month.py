"""A calendar month in UTC: the piece in which a trail is sealed and, one day, deleted."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

WRITTEN: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, order=True)
class Month:
    """Earlier months are less than later ones."""

    year: int
    month: int

    @classmethod
    def of(cls, time: datetime) -> "Month":
        """The month in which that time lies."""
        time = time.astimezone(UTC)
        return cls(time.year, time.month)

    @classmethod
    def parse(cls, text: str) -> "Month":
        """A month as `str` writes it, "2026-10"; raises ValueError."""
        found = WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError("A month is written like 2026-10")
        return cls(int(found[1]), int(found[2]))

    def plus(self, months: int) -> "Month":
        """So many months later, or earlier when negative."""
        years, month = divmod(self.month - 1 + months, 12)
        return Month(self.year + years, month + 1)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        later = self.plus(1)
        return datetime(later.year, later.month, 1, tzinfo=UTC)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
