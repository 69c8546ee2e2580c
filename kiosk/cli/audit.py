"""`kiosk audit show` and `kiosk audit export`: reading the trail."""

import os
import pwd
import sys
from argparse import Namespace
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path

from kiosk.audit import Record, Trail, export
from kiosk.build import Premises
from kiosk.cli.open_door import tapped_session
from kiosk.config.loader import load
from kiosk.errors import TrailError
from kiosk.operations.audit_log import ReadAudit
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk, perform
from kiosk.operations.principal import System


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
            with _begun(perform(desk, unix_principal(), ReadAudit(premises.node, trail, options.first))) as records:
                yield records, True
            return
        people = premises.directory()
        try:
            with tapped_session(premises, trail, people, options.socket, _say) as (desk, session):
                act = ReadAudit(premises.node, trail, options.first, masked=False)
                with _begun(perform(desk, session, act)) as records:
                    yield records, False
        finally:
            people.close()


@contextmanager
def _begun(work: Generator[Record, None, None]) -> Iterator[Iterable[Record]]:
    """The records of an act that is allowed, ended on record however far somebody reads: `kiosk audit show | head`."""
    with closing(work):
        first = tuple(islice(work, 1))
        yield chain(first, work)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
