"""Telling systemd how a service is (sd_notify(3)); silent where nobody listens."""

import socket
from collections.abc import Mapping
from contextlib import suppress


class Notify:
    """Says "READY=1" and the like to the socket that $NOTIFY_SOCKET names, if it does."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._watched = environ.get("WATCHDOG_USEC", "").isdecimal()

    def ready(self) -> None:
        """The service answers from now on."""
        self._say("READY=1")

    def stopping(self) -> None:
        """It is about to end."""
        self._say("STOPPING=1")

    def status(self, sentence: str) -> None:
        """What `systemctl status` shows."""
        self._say("STATUS=" + sentence.replace("\n", " "))

    def alive(self) -> None:
        """It has not hung, for a unit with WatchdogSec=."""
        if self._watched:
            self._say("WATCHDOG=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(1.0)
            connection.sendto(text.encode("utf-8"), self._address)
