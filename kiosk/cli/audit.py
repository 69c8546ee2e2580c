"""`kiosk audit`: reading and checking the trail."""

import os
import pwd
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.audit import Record, Trail, export, verify
from kiosk.build import Premises
from kiosk.cli.open_door import tapped_session
from kiosk.config.loader import load
from kiosk.errors import TrailError
from kiosk.operations.audit_log import ReadAudit
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk, perform
from kiosk.operations.principal import System

BROKEN = 1


def unix_principal() -> System:
    """Whoever runs this command, as the trail names them."""
    try:
        return System(f"unix:{pwd.getpwuid(os.getuid()).pw_name}")
    except KeyError:
        return System(f"unix:{os.getuid()}")


def show(options: Namespace) -> int:
    """Lists the acts, oldest first."""
    with _records(options) as (records, masked):
        for line in export.show(records, masked=masked):
            print(line)
    return 0


def dump(options: Namespace) -> int:
    """Writes the records, or their PS3.15 messages, a line each."""
    with _records(options) as (records, masked):
        write = export.xml if options.format == "xml" else export.jsonl
        for line in write(records, masked=masked):
            print(line)
    return 0


def check(options: Namespace) -> int:
    """Checks the whole chain; reads only, so that a copy on another machine verifies like the original."""
    found = verify(_path(options))
    print(found.sentence)
    return 0 if found.whole else BROKEN


def _path(options: Namespace) -> Path:
    return Path(options.db) if options.db else Premises(load(Path(options.config))).trail_path


@contextmanager
def _records(options: Namespace) -> Iterator[tuple[Iterable[Record], bool]]:
    if options.db:
        with Trail.read_only(Path(options.db)) as copy:
            if not options.as_auditor:
                raise TrailError("A copy shows patients to nobody: add --as-auditor to read it with patients masked.")
            yield copy.read(options.first), True
        return
    premises = Premises(load(Path(options.config)))
    with premises.trail() as trail:
        if options.as_auditor:
            desk = Desk(TrailLedger(trail, _say), lambda _: False)
            yield perform(desk, unix_principal(), ReadAudit(premises.node, trail, options.first)), True
            return
        people = premises.directory()
        try:
            with tapped_session(premises, trail, people, _say) as (desk, session):
                yield perform(desk, session, ReadAudit(premises.node, trail, options.first, masked=False)), False
        finally:
            people.close()


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
