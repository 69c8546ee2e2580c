"""An auditor at the line front end."""

from tests.kiosk.plain.kit import Line, line
from tests.kiosk.ui.test_audit import script


def sign_in(person: Line) -> None:
    person.until("demonstration PIN")
    person.fake.sign_in("auditor-badge")
    person.until("Signed in: Sara Holm")


def test_an_auditor_lists_searches_and_reads_the_record() -> None:
    with line(script()) as person:
        sign_in(person)
        since = person.type("audit")
        person.until("4. 2026-03-01 09:04:00, Tom Okafor (t.okafor), uid:04C7D81A2B3C4D, query, success", since)
        person.until("4 records", since)
        since = person.type("audit person=weber outcome=serious")
        person.until("3. 2026-03-01 09:03:00", since)
        person.until("1 record", since)
        since = person.type("record 3")
        person.until("study                   1.2.3", since)
        since = person.type("record 2")
        person.until("not among those listed", since)
        since = person.type("day a.weber 2026-03-01")
        person.until("Query: 3 studies", since)
        since = person.type("chain")
        person.until("The chain is whole: 4 records", since)


def test_what_cannot_be_read_is_said() -> None:
    with line(script()) as person:
        sign_in(person)
        for typed, said in (
            ("audit colour=red", "Fields are: person=…"),
            ("audit day=never", "This date is not understood"),
            ("day a.weber", "A person and a day, please"),
            ("record 3", "There is nothing to choose from."),
        ):
            since = person.type(typed)
            person.until(said, since)
        assert not person.fake.called("read_audit")
