"""What an auditor's commands do: the record of every act, as printed lines."""

from datetime import date
from threading import Event

from kiosk.audit import Record, Selection, listing, record_lines
from kiosk.operations.operations import AuditFound, Operations
from kiosk.plain.console import Console
from kiosk.plain.desk import Desk
from kiosk.views.audit import audit_cells, audit_found_line, unread_line
from kiosk.views.audit_form import AuditForm, selection_of
from kiosk.views.query import FormFault
from kiosk.views.words import _

MOST = 200
MOST_OF_A_DAY = 5000


class AuditActs:
    """Each method runs in a thread of its own and may raise KioskError."""

    def __init__(self, operations: Operations, console: Console) -> None:
        self._operations = operations
        self._console = console

    def search(self, desk: Desk, form: AuditForm, today: date, cancel: Event) -> None:
        """Lists the records that match, newest first, by their numbers."""
        selection = selection_of(form, today)
        if isinstance(selection, FormFault):
            self._say(desk, selection.sentence)
            return
        desk.records = {}
        stream = self._operations.read_audit(desk.session.session_id, selection, MOST, cancel)
        while True:
            try:
                record = next(stream)
            except StopIteration as end:
                self._say(desk, audit_found_line(end.value))
                return
            desk.records[record.sequence] = record
            number, *cells = audit_cells(record)
            self._say(desk, f"{number}. {', '.join(cell for cell in cells if cell)}")

    def record(self, desk: Desk, number: int) -> None:
        """Everything that record `number` of the last search holds."""
        record = desk.records.get(number)
        if record is None:
            self._say(desk, _("That record is not among those listed."))
            return
        self._say(desk, *filter(None, record_lines(record)))

    def day(self, desk: Desk, person: str, day: str, today: date, cancel: Event) -> None:
        """What a person did that day, session by session."""
        selection = selection_of(AuditForm(person=person, day=day), today)
        if isinstance(selection, FormFault) or selection.since is None:
            self._say(desk, selection.sentence if isinstance(selection, FormFault) else _("Which day?"))
            return
        records, found = self._all(desk, selection, cancel)
        on = selection.since.date()
        self._say(desk, *filter(None, (*listing.day(records, on), unread_line(found))))

    def chain(self, desk: Desk, cancel: Event) -> None:
        """Whether the chain is whole, and how far it is signed for."""
        self._say(desk, _("Checking the chain…"))
        self._say(desk, self._operations.verify_audit(desk.session.session_id, cancel).sentence)

    def _all(self, desk: Desk, selection: Selection, cancel: Event) -> tuple[list[Record], AuditFound]:
        session_id, records = desk.session.session_id, []
        stream = self._operations.read_audit(session_id, selection, MOST_OF_A_DAY, cancel, newest_first=False)
        while True:
            try:
                records.append(next(stream))
            except StopIteration as end:
                return records, end.value

    def _say(self, desk: Desk, *lines: str) -> None:
        self._console.say(*lines, unless=desk.closed)
