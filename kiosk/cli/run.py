"""`kiosk run`: the terminal."""

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.build import DemoParts, Premises, build
from kiosk.config.loader import load
from kiosk.config.refuse import refusals
from kiosk.operations.operations import Operations
from readers.vpcd_guard import vpcd_exposure

REFUSED = 1


def run(options: Namespace) -> int:
    """Refuses what only a demo may have, then runs until stopped."""
    premises = Premises(load(Path(options.config)))
    refused = refusals(premises.config)
    exposure = vpcd_exposure()
    if exposure.is_open or (
        exposure.configured and any(spec.startswith("pcsc") for spec in premises.config.readers.specs)
    ):
        refused.append(
            "A virtual card reader (vpcd) is set up: anybody on the network could tap. Remove vsmartcard-vpcd."
        )
    for sentence in refused:
        print(f"kiosk: {sentence}", file=sys.stderr)
    if refused:
        return REFUSED
    with terminal(premises) as operations:
        return show(operations, plain=options.plain)


def show(operations: Operations, *, plain: bool) -> int:
    """The front end that was asked for; it alone is imported."""
    if plain:
        from kiosk.plain.app import run as run_plain

        return run_plain(operations)
    from kiosk.ui.app import run as run_screen

    return run_screen(operations)


@contextmanager
def terminal(premises: Premises, demo: DemoParts | None = None) -> Iterator[Operations]:
    """A started kiosk; its log goes to a file, because the screen is somebody else's."""
    with premises.running():
        log_to_file(premises.state / "kiosk.log")
        with premises.trail() as trail:
            people = premises.directory(demo=demo is not None)
            try:
                agent = build(premises, trail, people, demo)
                try:
                    yield agent
                finally:
                    agent.close()
            finally:
                people.close()


def log_to_file(path: Path) -> None:
    """Everything that is logged goes to that file, owner's alone, and nothing to the terminal."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
