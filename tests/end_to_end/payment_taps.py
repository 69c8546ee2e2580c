"""A whole kiosk that is tapped with payment cards which another process holds: run by test_payment_sweep.

The cards lie behind a socket, so that this process learns an account number only by reading it. Everything that a kiosk
can keep is switched on: every scheme, a recording of the reader, a log of everything. What the screen hears is printed.
"""

import gc
import logging
import queue
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType

from kiosk.access.entered_pin import EnteredPin
from kiosk.audit import TrailPort
from kiosk.build import DemoParts, build
from kiosk.config.model import Kiosk, KioskConfig, Limits, Readers, SessionRules
from kiosk.demo.site import demo_credentials, prepare
from kiosk.demo.staff import CARDS, DEMO_PIN, enrol
from kiosk.operations.agent import Agent
from kiosk.operations.facts import AccessDenied, Fact, PinAsked, SessionEnded, SessionOpened
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.staff import EnrolBadge
from kiosk.premises import People, Premises
from readers.credentials.claim import Claim
from readers.reader import CardPresented
from readers.recording import Recording, RecordingReader
from readers.simulated import SimulatedReader
from readers.uid import Uid
from tests.readers.credentials.emv_taps import NEXT_CARD, live

PATIENCE = 60.0
HOLDER = "s.lindqvist"
LOG = logging.getLogger("payment")


class DistantCard:
    """A virtual card at the other end of a socket; each field is another one of its cards."""

    uid = Uid.from_hex("04A1B2C3D4E580")
    atr = bytes.fromhex("3B80800101")
    ats_historical = b""
    takes_apdus = True

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def power_on(self) -> None:
        self.exchange(NEXT_CARD)

    def exchange(self, raw: bytes) -> bytes:
        """`raw` there; back what comes, nothing for a new field."""
        self._wire.sendall(len(raw).to_bytes(2, "big") + raw)
        if raw == NEXT_CARD:
            return b""
        size = int.from_bytes(self._wire.recv(2, socket.MSG_WAITALL), "big")
        return self._wire.recv(size, socket.MSG_WAITALL) if size else b""


class Taps:
    """The kiosk as somebody at its reader and its keys has it."""

    def __init__(self, agent: Agent, reader: SimulatedReader, card: DistantCard) -> None:
        self._agent = agent
        self._reader = reader
        self._card = card
        self._facts: queue.SimpleQueue[Fact] = queue.SimpleQueue()
        agent.subscribe(self._hear)

    def once(self) -> Fact:
        """One tap, and the PIN where it is asked for; what came of it."""
        self._reader.insert(self._card)
        outcome = self._await(PinAsked, AccessDenied)
        if isinstance(outcome, PinAsked):
            self._agent.enter_pin(outcome.claim_id, DEMO_PIN)
            outcome = self._await(SessionOpened)
        if isinstance(outcome, SessionOpened):
            self._agent.sign_out(outcome.session_id)
            self._await(SessionEnded)
        self._reader.remove()
        return outcome

    def _hear(self, fact: Fact) -> None:
        say(f"{fact!r} {fact}")
        self._facts.put(fact)

    def _await(self, *kinds: type[Fact]) -> Fact:
        end = time.monotonic() + PATIENCE
        while True:
            fact = self._facts.get(timeout=max(end - time.monotonic(), 0.0))
            if isinstance(fact, kinds):
                return fact


def say(text: str) -> None:
    """Prints it, and logs it as well."""
    LOG.debug("%s", text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def frames() -> Iterator[FrameType]:
    """Every call that is under way in any thread, with its local variables."""
    for innermost in sys._current_frames().values():
        frame: FrameType | None = innermost
        while frame is not None:
            yield frame
            frame = frame.f_back


def give(card: DistantCard, premises: Premises, trail: TrailPort, people: People) -> None:
    """Enrols the first card for one of the demo's people, as it reads now."""
    reader = SimulatedReader()
    reader.open()
    reader.insert(card)
    presented = next(event for event in reader.wait(PATIENCE) if isinstance(event, CardPresented))
    with reader.connect(presented) as connected:
        claim = premises.ladder(people.counters).identify(connected)
    if not isinstance(claim, Claim):
        raise RuntimeError(f"{claim}")
    desk = Desk(TrailLedger(trail, lambda _: None), lambda _: False)
    person = next(each for each in people.directory.people() if each.user_id == HOLDER)
    finish(perform(desk, System("unix:test"), EnrolBadge(people.directory, person, claim, EnteredPin(DEMO_PIN))))


def main(descriptor: int, folder: Path, taps: int, control: str) -> None:
    """Everything it keeps is in `folder`; the wire is told when the taps are over, and asks for what still lives."""
    kept = bytearray(control[::-1].encode("ascii"))
    logging.basicConfig(level=logging.DEBUG, filename=folder / "log")
    config = KioskConfig(
        kiosk=Kiosk("Sweep", folder / "state", demo=True),
        readers=Readers(("simulated",), settle_seconds=0.0),
        session=SessionRules(accidental_seconds=0.0),
        credentials=demo_credentials(folder / "state"),
        limits=Limits(disk_reserve_bytes=0),
    )
    prepare(config)
    premises, simulated = Premises(config), SimulatedReader()
    opened, denied = 0, 0
    with (
        socket.socket(fileno=descriptor) as wire,
        premises.trail() as trail,
        closing(premises.directory(demo=True)) as people,
        Recording(folder / "recording") as recording,
    ):
        card = DistantCard(wire)
        enrol(Desk(TrailLedger(trail, lambda _: None), lambda _: False), people.directory)
        give(card, premises, trail, people)
        demo = DemoParts(CARDS, DEMO_PIN, lambda *_: None, (RecordingReader(simulated, recording),))
        with closing(build(premises, trail, people, demo)) as agent:
            seat = Taps(agent, simulated, card)
            for _ in range(taps):
                outcome = seat.once()
                opened += isinstance(outcome, SessionOpened)
                denied += isinstance(outcome, AccessDenied)
            for record in trail.read():
                say(repr(record))
            gc.collect()
            wire.sendall(b"\x00\x00")
            say(f"TAPS {taps} OPENED {opened} DENIED {denied}")
            wanted = wire.recv(64)
            running = [value for frame in frames() for value in frame.f_locals.values()]  # no collector looks there
            say(f"LIVE {live(wanted)} CONTROL {live(bytes(kept))} VARIABLES {len(running)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
