"""A machine without vsmartcard's driver in pcscd's configuration, for commands that refuse to run beside it."""

import os
from collections.abc import Sequence

SCRIPT = '[ ! -d /etc/reader.conf.d ] || mount -t tmpfs tmpfs /etc/reader.conf.d || exit 70; exec "$@"'


def without_vpcd(command: Sequence[str]) -> list[str]:
    """The command in a mount namespace of its own in which /etc/reader.conf.d is empty."""
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    return [*unshare, "sh", "-c", SCRIPT, "machine", *command]
