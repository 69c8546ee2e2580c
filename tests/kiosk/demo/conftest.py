"""One demo archive for all tests of this room."""

from collections.abc import Iterator
from datetime import date

import pytest

from kiosk.demo.archive import DemoArchive

TODAY = date(2026, 3, 17)


@pytest.fixture(scope="session")
def pacs() -> Iterator[DemoArchive]:
    """The archive with the odd studies, on a day that does not change."""
    with DemoArchive(today=TODAY, odd=True) as running:
        yield running
