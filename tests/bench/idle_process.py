"""The process of the idle bench: watches the readers named and prints what that costs, in percent of a core.

It must not import tests.pcscd, which would lead it to another daemon.
"""

import resource
import sys
import time

from readers.reader import Card, CardPresented, ReaderAttached, ReaderEvent
from readers.registry import open_reader
from readers.watch import ReaderWatch

PATIENCE = 30.0


def watched(specs: list[str], seconds: float) -> float:
    """Percent of one core that this process takes from when all readers are there, over `seconds`."""
    there: list[ReaderEvent] = []

    def on_event(event: ReaderEvent) -> None:
        if isinstance(event, ReaderAttached):
            there.append(event)

    def on_card(_presented: CardPresented, _card: Card) -> None:
        raise RuntimeError("A card lies on a reader that should be empty")

    def on_crash(error: Exception) -> None:
        raise error

    watches = [ReaderWatch(open_reader(spec), on_event, on_card, on_crash=on_crash) for spec in specs]
    for watch in watches:
        watch.start()
    end = time.monotonic() + PATIENCE
    while len(there) < len(specs):
        if time.monotonic() > end:
            raise RuntimeError("Not every reader is there")
        time.sleep(0.01)
    before, started = _cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    percent = 100 * (_cpu_seconds() - before) / (time.monotonic() - started)
    for watch in watches:
        watch.stop()
    return percent


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(watched(sys.argv[2:], float(sys.argv[1])))
