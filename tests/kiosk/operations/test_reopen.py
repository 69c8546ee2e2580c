"""A series that was retrieved already is shown at once; the archive is asked only for what it got since."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from kiosk.errors import PeerUnreachable
from kiosk.imaging.calls import Found, InstanceKey, Received, Retrieved
from kiosk.imaging.catalogue import Catalogue, Keep, KeptInstance
from kiosk.imaging.studies.model import OrderRule, Series, SeriesContents
from kiosk.operations.browse import OpenSeries
from kiosk.operations.operations import InstancesArrived
from kiosk.operations.sessions import SessionHoldings
from tests.kiosk.operations.acts import ARCHIVE, INSTANCE, SERIES, SESSION, STUDY, AnsweringImaging

KEPT = tuple(KeptInstance(f"{number:032x}", f"1.2.{number}", "1.2", "1.2", 10) for number in range(3))


class GrowingArchive(AnsweringImaging):
    """Has as many instances as `count` says; `asked` are the UIDs that each retrieval named."""

    def __init__(self, count: int, broken: bool = False) -> None:
        super().__init__(broken)
        self.count = count
        self.asked: list[tuple[str, ...]] = []

    def find_instances(self, *_: object) -> Generator[InstanceKey, None, Found]:
        """All of them."""
        self._called("find_instances")
        yield from (InstanceKey(f"1.2.{number}", "1.2", number) for number in range(self.count))
        return Found(self.count, False)

    def retrieve(self, *asked: object, **__: object) -> Generator[Received, None, Retrieved]:
        """Those that were named."""
        self._called("retrieve")
        uids = asked[3]
        assert isinstance(uids, tuple)
        self.asked.append(uids)
        for uid in uids:
            yield Received(uid, "1.2", SERIES.series_instance_uid, "1.2", uid[-1] * 32, 10)
        return Retrieved(len(uids), 0)

    def read_series(self, series: Series, files: tuple[str, ...], *_: object) -> SeriesContents:  # type: ignore[override]
        """An instance a file."""
        instances = tuple(replace(INSTANCE, file=file, sop_instance_uid=file) for file in files)
        return SeriesContents(series, instances, OrderRule.INSTANCE_NUMBER)


def _open(archive: GrowingArchive, came: list[Received]) -> tuple[list[InstancesArrived], SeriesContents]:
    act = OpenSeries(archive, ARCHIVE, STUDY, SERIES, "spool", here=KEPT, note=came.append)  # type: ignore[arg-type]
    seen: list[InstancesArrived] = []
    work = act.act(SESSION, Event())
    while True:
        try:
            seen.append(next(work))
        except StopIteration as stop:
            return seen, stop.value


def test_what_is_here_is_shown_first_and_only_what_came_since_is_retrieved() -> None:
    archive, came = GrowingArchive(5), []
    seen, contents = _open(archive, came)
    assert seen[0].contents is not None
    assert len(seen[0].contents.instances) == 3
    assert archive.asked == [("1.2.3", "1.2.4")]
    assert [received.sop_instance_uid for received in came] == ["1.2.3", "1.2.4"]
    assert len(contents.instances) == 5


def test_nothing_is_retrieved_when_everything_is_here() -> None:
    archive, came = GrowingArchive(3), []
    _seen, contents = _open(archive, came)
    assert archive.calls == ["find_instances"]
    assert len(contents.instances) == 3


def test_an_archive_that_does_not_answer_leaves_what_is_here_and_says_so() -> None:
    archive, came = GrowingArchive(3, broken=True), []
    _seen, contents = _open(archive, came)
    assert len(contents.instances) == 3
    assert contents.notes == (
        f"The archive was not asked whether there are more: {PeerUnreachable('Archive (PACS) does not answer.')}",
    )


@pytest.fixture
def holdings(tmp_path: Path) -> SessionHoldings:
    holdings = SessionHoldings(tmp_path / "sessions", Catalogue(lambda: 0.0, Keep(size=25)))
    holdings.begin("s1")
    return holdings


def _filled(holdings: SessionHoldings, series: Series, *kept: KeptInstance) -> None:
    for one in kept:
        (Path(holdings.spool("s1")) / one.file).touch()
        holdings.came("s1", STUDY, series, one)


def test_the_end_of_the_session_takes_the_catalogue_with_it(holdings: SessionHoldings) -> None:
    _filled(holdings, SERIES, *KEPT)
    assert len(holdings.here("s1", SERIES.series_instance_uid)) == 3
    holdings.end("s1")
    holdings.came("s1", STUDY, SERIES, KEPT[0])
    assert holdings.kept("s1") == ()


def test_series_that_are_too_much_for_a_session_leave_the_spool(holdings: SessionHoldings) -> None:
    other = replace(SERIES, series_instance_uid="1.2.3.5")
    _filled(holdings, SERIES, *KEPT[:2])
    _filled(holdings, other, KEPT[2])
    holdings.tidy("s1", "1.2.3.5")
    assert [kept.series for kept in holdings.kept("s1")] == [other]
    assert [path.name for path in Path(holdings.spool("s1")).iterdir()] == [KEPT[2].file]
