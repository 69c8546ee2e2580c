"""`kiosk run`: the terminal."""

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kiosk.access.ladder import complaints
from kiosk.audit import TrailPort
from kiosk.build import DemoParts, build
from kiosk.cli.endings import listen_no_more
from kiosk.cli.forwarding import forwarding, looking
from kiosk.cli.front_end import front_end, until_told
from kiosk.config.loader import load
from kiosk.config.model import KioskConfig
from kiosk.config.refuse import refusals
from kiosk.errors import TrailError
from kiosk.operations.neighbours import revocation_complaints
from kiosk.operations.operations import Operations
from kiosk.premises import Premises
from readers.doctor import REMOVE_VPCD
from readers.vpcd_guard import vpcd_exposure

REFUSED = 1


def run(options: Namespace) -> int:
    """Refuses what only a demo may have, then runs until stopped."""
    premises = Premises(load(Path(options.config)))
    refused = refusals(premises.config)
    refused += _virtual_reader(premises.config)
    refused += map(str, complaints(premises.config, premises.clock.now))
    refused += revocation_complaints(premises.config, premises.clock.now())
    for sentence in refused:
        print(f"kiosk: {sentence}", file=sys.stderr)
    if refused:
        return REFUSED
    show = front_end(plain=options.plain)
    with terminal(premises) as operations:
        return until_told(show, operations)


def _virtual_reader(config: KioskConfig) -> list[str]:
    exposure = vpcd_exposure()
    uses_pcscd = any(spec.strip().lower().startswith("pcsc") for spec in config.readers.specs)
    if not exposure.is_open and not (exposure.configured and uses_pcscd):
        return []
    return [f"A virtual card reader (vpcd) is set up here: anybody on the network could tap. Mend it: {REMOVE_VPCD}."]


@contextmanager
def terminal(premises: Premises, demo: DemoParts | None = None) -> Iterator[Operations]:
    """A started kiosk; its log goes to a file, because the screen is somebody else's."""
    with premises.running():
        log_to_file(premises.state / "kiosk.log")
        trail = premises.trail()
        with closing(trail):
            fault = _opened(trail)
            with forwarding(premises):
                people = premises.directory(demo=demo is not None)
                try:
                    agent = build(premises, trail, people, demo, fault=fault, look=looking(premises))
                    try:
                        yield agent
                    finally:
                        listen_no_more()
                        agent.close()
                finally:
                    people.close()


def _opened(trail: TrailPort) -> str:
    """Why the trail could not be opened; the screen says it, and the kiosk stays locked. Empty when it is open."""
    try:
        trail.open()
    except TrailError as error:
        return str(error)
    return ""


def log_to_file(path: Path) -> None:
    """Everything that is logged goes to that file, owner's alone, and nothing to the terminal."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
