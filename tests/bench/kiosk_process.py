"""A whole kiosk with its terminal: `python -m tests.bench.kiosk_process STATE READER DESCRIPTOR`.

It has the demo's people, and in memory what `kiosk run` has and no more. Writes a line for each question for a PIN to
that descriptor: "asked" and the monotonic time at which the question was published, which is after its decision became
durable; and "closed" with the time at which the question was withdrawn.
"""

import os
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

from kiosk.build import DemoParts, build
from kiosk.config.model import Kiosk, KioskConfig, Readers
from kiosk.demo.staff import CARDS, DEMO_PIN, enrol
from kiosk.operations.facts import Fact, PinAsked, PinClosed
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk
from kiosk.premises import Premises
from kiosk.ui.app import run
from readers.registry import open_reader

SETTLE = 0.3


def main(state: Path, spec: str, descriptor: int) -> int:
    """Runs until SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)

    def listen(fact: Fact) -> None:
        now = time.monotonic()
        if isinstance(fact, PinAsked | PinClosed):
            word = "asked" if isinstance(fact, PinAsked) else "closed"
            os.write(descriptor, f"{word} {now!r}\n".encode())

    config = KioskConfig(Kiosk("Bench", state, demo=True), Readers((spec,), settle_seconds=SETTLE))
    premises = Premises(config)
    with premises.trail() as trail, closing(premises.directory(demo=True)) as people:
        enrol(Desk(TrailLedger(trail, lambda _: None), lambda _: False), people.directory)
        # Cards are laid on from outside: F1 to F4 do nothing here.
        demo = DemoParts(CARDS, DEMO_PIN, lambda *_: None, (open_reader(spec),))
        with closing(build(premises, trail, people, demo)) as agent:
            agent.subscribe(listen)
            return run(agent, image_mode="halfcell")


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
