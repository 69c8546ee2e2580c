"""The line front end on the standard streams, for a serial console or a screen reader."""

from kiosk.clock import Clock
from kiosk.operations.operations import Operations
from kiosk.plain.console import Console
from kiosk.plain.shell import Shell


def run(operations: Operations, *, clock: Clock | None = None) -> int:
    """Runs until the input ends; returns the exit code. The caller closes `operations`."""
    return Shell(operations, Console(), clock).run()
