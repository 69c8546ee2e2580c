"""How a search of the trail ended, in a line."""

from kiosk.operations.operations import AuditFound
from kiosk.views.audit import audit_found_line, unread_line


def test_archived_months_that_were_not_looked_into_are_named() -> None:
    gone = AuditFound(2, False, ("2026-01: \x1b[2JThe file is gone.", "2026-02: It was changed."))
    assert unread_line(gone) == "NOT looked into: 2026-01: The file is gone.; 2026-02: It was changed."
    assert audit_found_line(gone) == f"2 records · {unread_line(gone)}"
    assert unread_line(AuditFound(2, True)) == ""
    assert audit_found_line(AuditFound(0, False)) == "No record matches."
