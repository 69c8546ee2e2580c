"""The reader of a command: a real one as it is, a simulated one with the door that `kiosk tap` knocks at."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kiosk.config.model import KioskConfig
from kiosk.errors import ConfigError
from readers.control import ControlServer, default_path
from readers.errors import ReaderUnavailable
from readers.reader import Reader
from readers.registry import open_reader
from readers.simulated import BACKEND, SimulatedReader


@contextmanager
def tappable(reader: SimulatedReader, socket: str | None = None) -> Iterator[SimulatedReader]:
    """`kiosk tap` lays cards on that reader while the block runs, through `socket` or the user's own default.

    Raises ConfigError when another simulated reader listens there, ReaderSpecError when the socket cannot be made.
    """
    path = Path(socket) if socket else default_path()
    with ExitStack() as stack:
        try:
            stack.enter_context(ControlServer(path, reader))
        except ReaderUnavailable:
            raise ConfigError(
                f"Another simulated reader listens on {path}: end it, or give this one a --socket of its own."
            ) from None
        yield reader


@contextmanager
def opened(spec: str, socket: str | None = None, config: KioskConfig | None = None) -> Iterator[Reader]:
    """The reader of that specification, not yet open. "simulated" without a deck has the demo's cards, and those that
    the keys of `config` can make where that is a demo's.

    Raises ReaderSpecError, and what `tappable` raises.
    """
    reader = _demo_reader(config) if spec.strip().lower() == BACKEND else open_reader(spec)
    if not isinstance(reader, SimulatedReader):
        yield reader
        return
    with tappable(reader, socket):
        option = f" --socket {socket}" if socket else ""
        print(f'Simulated reader: "kiosk tap CARD{option}" lays a card on it, "?" lists them.', file=sys.stderr)
        yield reader


def _demo_reader(config: KioskConfig | None) -> SimulatedReader:
    from kiosk.demo.staff import deck  # its people bring the database's library, which no other reader needs

    return SimulatedReader(deck(config))
