"""Machines with and without vsmartcard's driver in pcscd's configuration, for commands that refuse to run beside it."""

import os
from collections.abc import Sequence

WITHOUT = '[ ! -d /etc/reader.conf.d ] || mount -t tmpfs tmpfs /etc/reader.conf.d || exit 70; exec "$@"'
WITH = """
mount -t tmpfs tmpfs /etc/reader.conf.d || exit 70
printf 'LIBPATH /usr/lib/libifdvpcd.so\\nCHANNELID 0x8C7B\\n' > /etc/reader.conf.d/vpcd || exit 70
exec "$@"
"""


def without_vpcd(command: Sequence[str]) -> list[str]:
    """The command in a mount namespace of its own in which /etc/reader.conf.d is empty."""
    return _in_namespace(WITHOUT, command)


def with_vpcd(command: Sequence[str]) -> list[str]:
    """The command in a mount namespace of its own in which the driver is configured for the machine's pcscd."""
    return _in_namespace(WITH, command)


def _in_namespace(script: str, command: Sequence[str]) -> list[str]:
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    return [*unshare, "sh", "-c", script, "machine", *command]
