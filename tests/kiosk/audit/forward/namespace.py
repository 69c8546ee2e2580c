"""A network namespace whose loopback can be switched off: run as a module, it sits there and switches.

Everything that is started with `enter` before it shares that loopback and no other network.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[4]
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
FLAGS = struct.Struct("16sh")


@dataclass(frozen=True)
class Namespace:
    """A running one."""

    process: subprocess.Popen[str]

    @property
    def enter(self) -> list[str]:
        """What stands before a command to run it inside."""
        user = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        return ["nsenter", "-t", str(self.process.pid), *user, "-n"]

    def cut(self) -> None:
        """Nothing gets through any more."""
        self._switch("down")

    def mend(self) -> None:
        """It does again."""
        self._switch("up")

    def _switch(self, way: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{way}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"{way}\n"


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A new one, its loopback on."""
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *unshare, sys.executable, "-m", __name__],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        one = Namespace(process)
        try:
            one.mend()
            yield one
        finally:
            process.kill()


def set_loopback(is_up: bool) -> None:
    """Switches the loopback of the network that this process is in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name, flags = FLAGS.unpack(fcntl.ioctl(any_socket, SIOCGIFFLAGS, FLAGS.pack(b"lo", 0)))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, FLAGS.pack(name, flags | IFF_UP if is_up else flags & ~IFF_UP))


if __name__ == "__main__":
    for line in sys.stdin:
        set_loopback(line == "up\n")
        sys.stdout.write(line)
        sys.stdout.flush()
