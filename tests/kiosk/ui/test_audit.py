"""The audit trail at the terminal: for those who may see it, newest first, searched, whole, a person's day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kiosk.audit import Actor, AuditSource, Entry, Outcome, PatientRef, Phase, Record, Who, events
from kiosk.audit import Node as AuditNode
from kiosk.errors import NotAllowed
from kiosk.operations.facts import EndReason
from kiosk.operations.operations import ChainState
from kiosk.ui.screens.audit import AuditScreen
from kiosk.ui.screens.audit_day import AuditDayScreen
from kiosk.ui.screens.lock import LockScreen
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.widgets.key_bar import KeyBar
from tests.fakes import Script
from tests.kiosk.ui.kit import Terminal, terminal

BADGE = ("uid:04A1B2C3D4E580",)
ANNA = Actor("session", "a.weber", "Dr. Anna Weber", BADGE, "s-1", "radiologist")
TOM = Actor("session", "t.okafor", "Tom Okafor", ("uid:04C7D81A2B3C4D",), "s-2", "technologist")
PATIENT = PatientRef("4711", "NORTH", "Planted^Petra")
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
LOGIN = events.login(Who("a.weber", "Dr. Anna Weber", BADGE), AuditNode("KIOSK"), Outcome.SUCCESS)
ENTRIES = (
    Entry("enter_pin", "1", Phase.OUTCOME, replace(ANNA, kind="system"), "Signed in", Outcome.SUCCESS, LOGIN),
    Entry("query", "2", Phase.OUTCOME, ANNA, "Query: 3 studies", Outcome.SUCCESS),
    Entry("push", "3", Phase.OUTCOME, ANNA, "Push to PACS", Outcome.SERIOUS, (), None, (("study", "1.2.3"),), PATIENT),
    Entry("query", "4", Phase.OUTCOME, TOM, "Query: 0 studies [/b]", Outcome.SUCCESS),
)


def records() -> list[Record]:
    source = AuditSource("kiosk-7")
    return [
        Record(place, START + timedelta(minutes=place), entry, bytes(32), bytes([place] * 32), source)
        for place, entry in enumerate(ENTRIES, 1)
    ]


def script(**more: object) -> Script:
    return Script(records=records(), **more)  # type: ignore[arg-type]  # the test names fields of Script


def offered(running: Terminal) -> str:
    shown = running.app.screen.query_one(KeyBar).keys()
    return " ".join(words for _key, _display, words in shown)


async def open_audit(running: Terminal) -> None:
    running.fake.sign_in("auditor-badge")
    await running.until(lambda: running.shows(StudiesScreen))
    await running.press("f7")
    await running.until(lambda: running.shows(AuditScreen) and not running.app.tickets.is_running("audit"))


async def test_an_auditor_is_offered_the_trail_and_a_radiologist_is_not() -> None:
    async with terminal(script()) as running:
        await running.sign_in()
        assert "Audit trail" not in offered(running)
        await running.press("escape", "f7")
        assert running.shows(StudiesScreen)
        assert not running.fake.called("read_audit")
        running.fake.end(EndReason.SIGNED_OUT, "")
        running.fake.sign_in("auditor-badge")
        await running.until(lambda: running.shows(StudiesScreen) and "Audit trail" in offered(running))
        await running.sees("Press F7 for the audit trail.")


async def test_records_come_newest_first_with_person_badge_and_outcome() -> None:
    async with terminal(script()) as running:
        await open_audit(running)
        assert running.table("#records").keys == ("4", "3", "2", "1")
        await running.sees("4 records", "Tom Okafor", "uid:04C7D81A2B3C4D", "serious (8)", "Query: 0 studies [/b]")
        assert len(running.fake.called("read_audit")) == 1  # opening it is one reading on record


async def test_the_state_of_the_chain_stands_above() -> None:
    async with terminal(script()) as running:
        await open_audit(running)
        await running.sees("The chain is whole: 4 records, head 9f2c.")
        assert running.app.screen.query_one("#chain").has_class("-whole")


async def test_a_broken_chain_is_said_loudly() -> None:
    async with terminal(script(chain=ChainState(False, "Record 3 was changed."))) as running:
        await open_audit(running)
        await running.sees("Record 3 was changed.")
        assert running.app.screen.query_one("#chain").has_class("-broken")


async def test_the_record_under_the_cursor_is_shown_whole_with_its_dicom_message() -> None:
    async with terminal(script()) as running:
        await open_audit(running)
        await running.press("end")
        await running.sees("Record                    1, 2026-03-01 09:01:00Z", "Act", "enter_pin")
        await running.press("enter", "end")
        await running.sees("UserID", "AlternativeUserID")
        fields = running.table("#fields")
        assert any("110114 User Authentication" in running.app.screen._field_cells(key)[1] for key in fields.keys)  # type: ignore[attr-defined]  # the audit screen's


async def test_filters_search_again_and_a_wrong_one_is_pointed_at() -> None:
    async with terminal(script()) as running:
        await open_audit(running)
        await running.press("slash", *"weber", "enter")
        await running.until(lambda: running.table("#records").keys == ("3", "2", "1"))
        assert running.fake.called("read_audit")[-1][1].person == "weber"  # type: ignore[attr-defined]  # a Selection
        await running.press("slash", "tab", "tab", "tab", "tab", *"some day", "enter")
        await running.sees("This date is not understood")
        assert len(running.fake.called("read_audit")) == 2


async def test_a_persons_day_is_told_session_by_session() -> None:
    async with terminal(script()) as running:
        await open_audit(running)
        await running.press("down", "d")
        await running.until(lambda: running.shows(AuditDayScreen) and running.table("#day").row_count)
        await running.sees("a.weber", "Sunday, 2026-03-01", "Query: 3 studies", "Push to PACS; patient Planted^Petra")
        selection = running.fake.called("read_audit")[-1]
        assert (selection[1].person, selection[2]) == ("a.weber", False)  # type: ignore[attr-defined]  # a Selection
        await running.press("escape")
        await running.until(lambda: running.shows(AuditScreen))


async def test_a_refusal_is_said() -> None:
    async with terminal(script(failing={"read_audit": NotAllowed("Your role may not do this.")})) as running:
        await open_audit(running)
        await running.sees("Your role may not do this.")


async def test_leaving_cancels_what_runs() -> None:
    async with terminal(script(hanging={"verify_audit"})) as running:
        await open_audit(running)
        await running.until(running.fake.hangs.is_set)
        assert running.app.tickets.is_running("audit-chain")
        await running.press("escape")
        await running.until(lambda: running.shows(StudiesScreen))
        assert not running.app.tickets.is_running("audit-chain")


async def test_the_end_of_the_session_takes_every_record_off_the_screen() -> None:
    async with terminal(script()) as running:
        await open_audit(running)
        await running.press("down", "d")
        await running.until(lambda: running.shows(AuditDayScreen))
        running.fake.end(EndReason.IDLE, "Locked.")
        await running.until(lambda: running.shows(LockScreen))
        assert "Planted" not in running.text()
        assert len(running.app.screen_stack) == 1


async def test_the_newest_are_asked_for_again() -> None:
    async with terminal(script()) as running:
        await open_audit(running)
        running.fake.script.records.append(replace(records()[0], sequence=5))
        await running.press("f5")
        await running.until(lambda: running.table("#records").keys == ("5", "4", "3", "2", "1"))
