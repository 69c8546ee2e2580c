"""The `kiosk` command."""

import importlib
import logging
import os
import sys
from collections.abc import Sequence

from kiosk.cli.endings import listen
from kiosk.cli.parser import parser
from kiosk.errors import KioskError
from readers.errors import ReaderError

WRONG = 1
MISUSED = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand; returns its exit code: 0 done, 1 wrong (said in a sentence), 2 misused, 130 interrupted."""
    os.umask(0o077)  # whatever any part of the kiosk writes is its owner's alone
    listen()
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    module, _, function = options.handler.partition(":")
    try:
        return int(getattr(importlib.import_module(module), function)(options))
    except (KioskError, ReaderError) as error:
        print(f"kiosk: {error}", file=sys.stderr)
        return WRONG
    except BrokenPipeError:
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        _let_go_of_output()


def _let_go_of_output() -> None:
    """Output whose reader has gone, or whose terminal has, is dropped: Python would exit with 120 over it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
