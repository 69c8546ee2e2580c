"""`kiosk audit seal` and `kiosk audit prune`: closed months into files, and old ones out of the trail, on record."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.audit import Month, RetentionPort, Trail, TrailClient, TrailPort
from kiosk.cli.audit import unix_principal
from kiosk.config.loader import load
from kiosk.errors import TrailError
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.retention import PruneTrail, SealTrail
from kiosk.premises import Premises


def seal(options: Namespace) -> int:
    """Seals what is closed; says what it made, a file a line."""
    before = Month.parse(options.before) if options.before else None
    with _archive(options) as (premises, desk, trail, retention):
        act = SealTrail(premises.node, trail.uri, retention, before)
        for segment in finish(perform(desk, unix_principal(), act)):
            print(f"{premises.config.segments_directory / segment.file_name}: {segment.sentence}")
    return 0


def prune(options: Namespace) -> int:
    """Deletes what may go; says what went, and why the rest stays."""
    with _archive(options) as (_, desk, trail, retention):
        print(finish(perform(desk, unix_principal(), PruneTrail(trail.uri, retention))).sentence)
    return 0


@contextmanager
def _archive(options: Namespace) -> Iterator[tuple[Premises, Desk, TrailPort, RetentionPort]]:
    premises = Premises(load(Path(options.config)))
    with premises.signed_trail() as trail:
        desk = Desk(premises.ledger(trail, lambda said: print(said, file=sys.stderr)), lambda _: False)
        match trail:
            case Trail():
                yield premises, desk, trail, premises.retention(trail)
            case TrailClient():
                yield premises, desk, trail, trail
            case _:
                raise TrailError("Nothing is sealed or deleted here.")
