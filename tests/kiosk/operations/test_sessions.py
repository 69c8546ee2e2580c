"""What a session holds, and that its end leaves nothing of it."""

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from kiosk.errors import NoSession, NotAllowed, StorageFull, UnreadableObject
from kiosk.imaging.spool import Spool
from kiosk.operations.sessions import SessionHoldings
from tests.kiosk.operations.acts import CONTENTS, INSTANCE, STUDY


@pytest.fixture
def holdings(tmp_path: Path) -> SessionHoldings:
    holdings = SessionHoldings(tmp_path / "sessions")
    holdings.begin("s1")
    return holdings


def test_the_end_cancels_what_runs(holdings: SessionHoldings) -> None:
    cancel = Event()
    with holdings.running("s1", cancel):
        holdings.end("s1")
        assert cancel.is_set()
    with pytest.raises(NoSession), holdings.running("s1", cancel):
        pass


def test_a_worker_that_still_writes_when_the_session_ends_leaves_nothing(
    holdings: SessionHoldings, tmp_path: Path
) -> None:
    spool, stop, begun = Spool(Path(holdings.spool("s1")), reserve=0), Event(), Event()

    def write() -> None:
        while not stop.is_set():
            with suppress(UnreadableObject, StorageFull), spool.create() as file:
                file.write(b"x")
                file.commit()
            begun.set()

    writers = [threading.Thread(target=write, daemon=True) for _ in range(3)]
    for writer in writers:
        writer.start()
    assert begun.wait(60.0)
    holdings.end("s1")
    stop.set()
    for writer in writers:
        writer.join(60.0)
    assert not list((tmp_path / "sessions").rglob("*"))


def test_what_an_earlier_run_left_is_wiped(holdings: SessionHoldings, tmp_path: Path) -> None:
    for name in ("a" * 32, "b" * 32 + ".part"):
        (Path(holdings.spool("s1")) / name).touch()
    SessionHoldings(tmp_path / "sessions").wipe_all()
    assert not list((tmp_path / "sessions").rglob("*"))


def test_only_its_owner_may_look_into_a_spool(holdings: SessionHoldings) -> None:
    assert Path(holdings.spool("s1")).stat().st_mode & 0o777 == 0o700


def test_an_instance_is_the_one_that_was_shown(holdings: SessionHoldings) -> None:
    holdings.keep("s1", STUDY, CONTENTS)
    assert holdings.opened("s1", INSTANCE) == STUDY
    for changed in (replace(INSTANCE, file="0" * 32), replace(INSTANCE, sop_instance_uid="9.9")):
        with pytest.raises(NotAllowed):
            holdings.opened("s1", changed)
    with pytest.raises(NotAllowed):
        holdings.opened("s2", INSTANCE)


def test_a_study_has_been_seen_only_as_it_was_found(holdings: SessionHoldings) -> None:
    holdings.see("s1", STUDY, "query-1")
    assert holdings.found_by("s1", STUDY) == "query-1"
    assert holdings.found_by("s1", replace(STUDY, archive="Other")) is None
    holdings.end("s1")
    holdings.see("s1", STUDY, "query-1")
    assert holdings.found_by("s1", STUDY) is None
