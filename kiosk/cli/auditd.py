"""`kiosk auditd`: the process that writes the trail. `kiosk audit key`: its public key, and once its first MAC key."""

import grp
import os
import pwd
import signal
import sys
from argparse import Namespace
from pathlib import Path

from kiosk.audit import AuditDaemon, Counter, Notify, ReadOnlyTrail, TrailClient
from kiosk.audit.signing import fingerprint, to_pem
from kiosk.cli.endings import ENDINGS
from kiosk.config.audit import AuditConfig
from kiosk.config.loader import load
from kiosk.errors import ConfigError, TrailError
from kiosk.premises import Premises


def run(options: Namespace) -> int:
    """Serves the trail until SIGTERM, SIGHUP or SIGINT; what is recorded then is signed for before it ends."""
    # Blocked, and waited for: an interrupt raised anywhere else could end a half-written answer.
    endings = {*ENDINGS, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    premises = Premises(load(Path(options.config)))
    trail = premises.own_trail(alone=True)
    daemon = AuditDaemon(
        trail,
        _counter(premises.config.audit),
        premises.clock.monotonic,
        premises.keeper_rules,
        Notify(os.environ),
        premises.retention(trail),
    )
    with daemon:
        signal.sigwait(endings)
    return 0


def key(options: Namespace) -> int:
    """Prints the public key of the checkpoints; with --escrow, before anything is recorded, keeps the first MAC key."""
    premises = Premises(load(Path(options.config)))
    if options.escrow:
        _escrow(premises, Path(options.escrow))
    public_key = _public_key(premises)
    print(to_pem(public_key), end="")
    print(f"Fingerprint: {fingerprint(public_key)}", file=sys.stderr)
    return 0


def _public_key(premises: Premises) -> bytes:
    socket = premises.config.audit.socket
    if os.access(premises.trail_path, os.R_OK):
        with ReadOnlyTrail(premises.trail_path) as trail:
            return trail.identity.public_key
    if socket is None:
        raise TrailError(f"There is no audit trail at {premises.trail_path} yet; the first start makes it.")
    with TrailClient(socket) as client:
        return client.identity.public_key


def _escrow(premises: Premises, path: Path) -> None:
    with premises.own_trail() as trail:
        first = trail.escrow()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(first.hex() + "\n")
    print(f"The first MAC key is in {path}: take it away from this machine.", file=sys.stderr)


def _counter(audit: AuditConfig) -> Counter:
    if audit.socket is None:
        raise ConfigError("audit.socket is missing: it is where the kiosk finds the daemon.")
    try:
        audit.socket.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{audit.socket.parent} cannot be made: {error.strerror}.") from None
    # Root could become any of them; listed, it does so under its own name.
    always = {os.getuid(), 0}
    writers = frozenset(always | {_uid(name) for name in audit.writers})
    return Counter(audit.socket, writers, frozenset(map(_uid, audit.readers)), _gid(audit.group))


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigError(f"audit: there is no user {name} on this machine.") from None


def _gid(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid if name else None
    except KeyError:
        raise ConfigError(f"audit.group: there is no group {name} on this machine.") from None
