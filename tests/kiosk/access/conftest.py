from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kiosk.access.support import HandClock, Room, furnish


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def room(tmp_path: Path, clock: HandClock) -> Iterator[Room]:
    made = furnish(tmp_path / "directory.db", clock)
    yield made
    made.engine.dispose()
