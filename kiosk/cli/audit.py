"""`kiosk audit show` and `kiosk audit export`: reading the trail."""

import io
import os
import pwd
import sys
from argparse import Namespace
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date
from itertools import chain, islice
from pathlib import Path

from kiosk.audit import (
    Mask,
    ReadOnlyTrail,
    Record,
    SegmentFolder,
    Selection,
    Trail,
    Wanted,
    WholeTrail,
    export,
    listing,
    select,
)
from kiosk.cli.open_door import tapped_session
from kiosk.clock import SystemClock
from kiosk.config.loader import load
from kiosk.errors import KioskError, NotAllowed, TrailError
from kiosk.operations.audit_log import ReadAudit
from kiosk.operations.operations import AuditFound
from kiosk.operations.perform import Desk, perform
from kiosk.operations.principal import System
from kiosk.premises import Premises
from kiosk.views.audit_form import AuditForm, one_day, selection_of
from kiosk.views.query import FormFault

INCOMPLETE = 1
MISUSED = 2


def unix_principal() -> System:
    """Whoever runs this command, as the trail names them."""
    try:
        return System(f"unix:{pwd.getpwuid(os.getuid()).pw_name}")
    except KeyError:
        return System(f"unix:{os.getuid()}")


def show(options: Namespace) -> int:
    """Lists the records, oldest first; a patient's accesses; or a person's day."""
    selection = _selection(options)
    if isinstance(selection, FormFault):
        return _misused(selection.sentence)
    today = one_day(_form(options), _today())
    with _records(options, selection) as (records, masked):
        shown = map(Mask().record, records) if masked else records
        if selection.person and today is not None:
            lines = listing.day(shown, today)
        elif selection.patient_id:
            lines = listing.accesses(shown)
        else:
            lines = export.show(shown)
        _write(lines)
    return 0


def dump(options: Namespace) -> int:
    """Writes the records, or their messages, a line each."""
    selection = _selection(options)
    if isinstance(selection, FormFault):
        return _misused(selection.sentence)
    unread: list[str] = []
    with _records(options, selection, unread.append) as (records, masked):
        _write(export.FORMATS[options.format](records, masked=masked))
    return INCOMPLETE if unread else 0


def _form(options: Namespace) -> AuditForm:
    return AuditForm(
        options.person,
        options.badge,
        options.patient,
        options.issuer,
        options.study,
        options.act,
        options.outcome,
        options.day,
        options.since,
        options.until,
    )


def _selection(options: Namespace) -> Selection | FormFault:
    return selection_of(_form(options), _today())


def _write(lines: Iterable[str]) -> None:
    """Writes every line, and says so when that is not possible: an export that ends early must not look whole."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise KioskError("The output was closed before all of it was written.") from None
    except OSError as error:
        raise KioskError(f"The output could not be written whole: {error.strerror}.") from None


@contextmanager
def _records(
    options: Namespace, selection: Selection, on_unread: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[Iterable[Record], bool]]:
    """The records, and whether patients are masked in them. Once they are read, `on_unread` is told, as is whoever sits
    there, of archived months that could not be looked into."""

    def tell(unread: Iterable[str]) -> None:
        for what in unread:
            _say(f"kiosk: not looked into: {what}")
            on_unread(what)

    if options.db:
        with Trail.read_only(Path(options.db)) as copy:
            if not options.as_auditor:
                raise TrailError("A copy shows patients to nobody: add --as-auditor to read it with patients masked.")
            if selection.patient_id:
                raise NotAllowed("A copy shows patients to nobody, and so finds none.")
            wanted = Wanted(options.first, selection.since, selection.until)
            whole = WholeTrail(copy, archive_beside(copy, options.archive), wanted)
            yield select(whole, selection, options.first), True
            tell(whole.unread)
        return
    premises = Premises(load(Path(options.config)))
    selection = replace(selection, badge_token=premises.badge_naming.also(selection.badge))
    with premises.signed_trail() as trail:
        if options.as_auditor:
            desk = Desk(premises.ledger(trail, _say), lambda _: False)
            act = ReadAudit(premises.node, trail, options.first, selection=selection, archive=premises.archive(trail))
            with _begun(perform(desk, unix_principal(), act), tell) as records:
                yield records, True
            return
        people = premises.directory()
        try:
            with tapped_session(premises, trail, people, options.socket, _say) as (desk, session):
                archive = premises.archive(trail)
                act = ReadAudit(premises.node, trail, options.first, masked=False, selection=selection, archive=archive)
                with _begun(perform(desk, session, act), tell) as records:
                    yield records, False
        finally:
            people.close()


def archive_beside(copy: ReadOnlyTrail, folder: str) -> SegmentFolder | None:
    """The sealed segments of a copy, in the folder that somebody put them in; None where nobody says which."""
    return SegmentFolder(Path(folder), copy.segments) if folder else None


@contextmanager
def _begun(
    work: Generator[Record, None, AuditFound], tell: Callable[[Iterable[str]], None]
) -> Iterator[Iterable[Record]]:
    """The records of an act that is allowed, ended on record however far somebody reads: `kiosk audit show | head`."""

    def told() -> Iterator[Record]:
        found = yield from work
        tell(found.unread)

    with closing(work):
        records = told()
        first = tuple(islice(records, 1))
        yield chain(first, records)


def _misused(sentence: str) -> int:
    _say(f"kiosk: {sentence}")
    return MISUSED


def _today() -> date:
    return SystemClock().now().astimezone().date()


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
