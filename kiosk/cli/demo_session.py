"""The demo: a kiosk with made-up people, cards and patients, and the check that does the main job in it."""

import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

from kiosk.audit import Trail, verify
from kiosk.build import DemoParts
from kiosk.cli.front_end import Show, until_told
from kiosk.cli.reader import tappable
from kiosk.cli.run import terminal
from kiosk.config.dump import dump
from kiosk.config.loader import load
from kiosk.config.model import Kiosk, KioskConfig, Limits, Readers, SessionRules
from kiosk.config.peers import PeerConfig
from kiosk.demo.archive import DemoArchive
from kiosk.demo.check import Cast, MainJob, StepFailed
from kiosk.demo.site import demo_credentials, prepare
from kiosk.demo.staff import (
    CARDS,
    DEMO_PIN,
    RADIOLOGIST_BADGE,
    RADIOLOGIST_PHONE,
    TECHNOLOGIST_BADGE,
    UNKNOWN_BADGE,
    deck,
    enrol,
)
from kiosk.errors import ConfigError
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.peers import Peer
from kiosk.operations.operations import Operations
from kiosk.operations.perform import Desk
from kiosk.premises import Premises
from readers.simulated import SimulatedReader, following
from readers.virtual.deck import Deck
from readers.virtual.scenario import Scenario

FAILED = 1
STUDIES = 60
TAP_SECONDS = 0.6
MEBIBYTE = 2**20
CAST = Cast(RADIOLOGIST_BADGE, TECHNOLOGIST_BADGE, RADIOLOGIST_PHONE, UNKNOWN_BADGE, DEMO_PIN)


def run_session(options: Namespace, pacs: DemoArchive, show: Show | None) -> int:
    """Opens the demo on a launched archive, or without `show` does the main job in it."""
    with ExitStack() as stack:
        folder = _folder(options) if options.keep else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = _config(folder, quick=show is None)
        prepare(config)
        cards = deck(config)
        _enrol(Premises(config), cards)
        pacs.wait()
        config = replace(config, archives=(_peer(pacs.archive),), destinations=tuple(map(_peer, pacs.destinations)))
        (folder / "kiosk.toml").write_text(dump(config, folder))
        premises = Premises(config)
        reader = following(Scenario.load(Path(options.scenario), cards)) if options.scenario else SimulatedReader(cards)
        if show is not None:
            stack.enter_context(tappable(reader, options.socket))
        operations = stack.enter_context(demo_terminal(premises, reader))
        if show is not None:
            return until_told(show, operations)
        try:
            _check(operations, premises, pacs)
            if options.keep:
                _keep_screenshots(operations, folder / "screenshots")
        except StepFailed as failed:
            print(f"FAILED {failed}", flush=True)
            return FAILED
    print("The whole main job passed.")
    return 0


def _enrol(premises: Premises, cards: Deck) -> None:
    with premises.running(), premises.trail() as trail:
        people = premises.directory(demo=True)
        desk = Desk(premises.ledger(trail, lambda said: print(said, file=sys.stderr)), lambda _: False)
        try:
            enrol(desk, people.directory, cards, premises.ladder(people.counters))
        finally:
            people.close()


def _keep_screenshots(operations: Operations, folder: Path) -> None:
    from kiosk.ui.screenshots import take_screenshots  # Textual is loaded only where somebody looks

    try:
        take_screenshots(operations, RADIOLOGIST_BADGE, DEMO_PIN, folder)
    except TimeoutError as error:
        raise StepFailed(f"screenshots: {error}") from None


@contextmanager
def demo_terminal(premises: Premises, reader: SimulatedReader) -> Iterator[Operations]:
    """A kiosk with the demo's cards on that reader."""

    def tap(card: str, seconds: float | None) -> None:
        reader.insert(card, seconds or TAP_SECONDS)

    with terminal(premises, DemoParts(CARDS, DEMO_PIN, tap, (reader,))) as operations:
        yield operations


def _check(operations: Operations, premises: Premises, pacs: DemoArchive) -> None:
    def say(line: str) -> None:
        print(line, flush=True)

    with counting(pacs.destinations) as delivered:
        MainJob(operations, CAST, delivered, say, settle=premises.config.readers.settle_seconds + 0.1).run(STUDIES)
    check_record(premises, say)


@contextmanager
def counting(destinations: tuple[Peer, ...]) -> Iterator["Counter"]:
    """Asks destinations, past the kiosk, how much of a study they hold."""
    imaging = WorkerImaging()
    imaging.start()
    try:
        yield Counter(imaging, destinations)
    finally:
        imaging.close()


class Counter:
    """Counts instances at a destination by C-FIND."""

    def __init__(self, imaging: WorkerImaging, destinations: tuple[Peer, ...]) -> None:
        self._imaging = imaging
        self._peers = {peer.name: peer for peer in destinations}

    def __call__(self, destination: str, study_instance_uid: str) -> int:
        """How many instances of the study that destination holds."""
        peer, never = self._peers[destination], Event()
        held = list(self._imaging.find_series(peer, study_instance_uid, never))
        return sum(
            sum(1 for _ in self._imaging.find_instances(peer, study_instance_uid, one.series_instance_uid, never))
            for one in held
        )


def check_record(premises: Premises, say: Callable[[str], None]) -> None:
    """The trail verifies, and every act of a person carries their badge; raises StepFailed."""
    found = verify(premises.trail_path)
    if not found.whole:
        raise StepFailed(f"the record is whole: {found.sentence}")
    with Trail.read_only(premises.trail_path) as trail:
        acts = [record.entry for record in trail.read()]
    bare = [entry.act for entry in acts if entry.actor.kind in ("session", "delegation") and not entry.actor.badge]
    if bare:
        raise StepFailed(f"every act is on record with its badge: {bare[0]} has none")
    named = {entry.act for entry in acts}
    if (
        missing := {"tap", "enter_pin", "query", "open_study", "open_series", "tags", "push", "deliver", "sign_out"}
        - named
    ):
        raise StepFailed(f"every act is on record: {', '.join(sorted(missing))} missing")
    say(f"ok    every act is on record with its badge, and the chain is whole ({found.records} records)")


def _folder(options: Namespace) -> Path:
    folder = Path(options.keep).resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}.") from None
    # The main job of a check begins among people who have not given their PIN in this shift.
    if any(folder.iterdir()) and (options.check or not _is_of_a_demo(folder)):
        raise ConfigError(f"{folder} is not empty: --keep wants a new or empty folder, or without --check a demo's.")
    return folder


def _is_of_a_demo(folder: Path) -> bool:
    try:
        kept = load(folder / "kiosk.toml").kiosk
    except ConfigError:
        return False
    return kept.demo and kept.state_directory == folder


def _config(folder: Path, *, quick: bool) -> KioskConfig:
    return KioskConfig(
        kiosk=Kiosk(
            name="Reading room 3", state_directory=folder, site="Demo hospital", ae_title="KIOSK_DEMO", demo=True
        ),
        readers=Readers(("simulated",), settle_seconds=0.3 if quick else 1.0),
        session=SessionRules(accidental_seconds=1.0 if quick else 3.0),
        credentials=demo_credentials(folder),
        limits=Limits(disk_reserve_bytes=64 * MEBIBYTE),
    )


def _peer(peer: Peer) -> PeerConfig:
    return PeerConfig(
        peer.name,
        peer.ae_title,
        peer.host,
        peer.port,
        peer.timeout,
        peer.character_set,
        peer.assumed_character_set,
    )
