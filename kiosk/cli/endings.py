"""The signals that end a command in order: what it began is closed and on record."""

import signal

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""A terminal that closes hangs up."""


def listen() -> None:
    """From now on they end a command like Ctrl+C does; those that nohup turned off stay off."""
    for ending in ENDINGS:
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, _interrupt)


def listen_no_more() -> None:
    """One was heard, or the end has come anyhow: a further one must not cut it short."""
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)


def _interrupt(*_: object) -> None:
    listen_no_more()
    raise KeyboardInterrupt
