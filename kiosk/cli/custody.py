"""`kiosk audit custody`: the path of a pushed study, from this kiosk's trail or from a copy and its public key."""

import sys
from argparse import Namespace
from pathlib import Path

from kiosk.audit import Evidence, ReadOnlyTrail, TrailReader, WholeTrail, path_lines, seal, trace, verify
from kiosk.audit.signing import from_pem
from kiosk.cli.audit import archive_beside, unix_principal
from kiosk.cli.verify import BROKEN, FOREIGN, LARGEST_KEY, UNREADABLE, WHOLE
from kiosk.config.loader import load
from kiosk.errors import TrailError
from kiosk.operations.audit_log import TraceCustody, Traced, VerifyAudit
from kiosk.operations.perform import Desk, finish, perform
from kiosk.premises import Premises


def custody(options: Namespace) -> int:
    """Checks the whole chain, then prints the path of every push of the study, and each gap in it."""
    try:
        key = _key(options)
        return _of_copy(options, key) if options.db else _of_kiosk(options, key)
    except (TrailError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        print(f"kiosk: {reason}", file=sys.stderr)
        return UNREADABLE


def _of_copy(options: Namespace, key: bytes) -> int:
    found = verify(Path(options.db), evidence=Evidence(key))
    print(found.sentence)
    if not found.whole:
        return FOREIGN if found.foreign else BROKEN
    if not key:
        print("Nobody says whose checkpoints these are: add --public-key with the key that was kept elsewhere.")
    with ReadOnlyTrail(Path(options.db)) as trail:
        whole = WholeTrail(trail, archive_beside(trail, options.archive))
        return _tell(options.study, Traced(trace(whole, options.study), whole.unread), trail)


def _of_kiosk(options: Namespace, key: bytes) -> int:
    premises = Premises(load(Path(options.config)))
    with premises.signed_trail() as trail:
        if key and key != trail.identity.public_key:
            print("The trail is sealed with another key than the one given.")
            return FOREIGN
        by = unix_principal()
        desk = Desk(premises.ledger(trail, lambda said: print(said, file=sys.stderr)), lambda _: False)
        state = finish(perform(desk, by, VerifyAudit(premises.node, trail)))
        print(state.sentence)
        if not state.whole:
            return BROKEN
        act = TraceCustody(premises.node, trail, options.study, premises.archive(trail))
        return _tell(options.study, finish(perform(desk, by, act)), trail)


def _tell(study: str, traced: Traced, trail: TrailReader) -> int:
    paths = traced.paths
    for what in traced.unread:
        print(f"Not looked into: {what}")
    if not paths:
        print("This study was not pushed, as far as this trail tells.")
        return BROKEN
    code = WHOLE
    for path in paths:
        sealed = seal(trail.checkpoints(), path)
        print()
        for line in path_lines(path, sealed):
            print(line)
        if path.gaps or sealed is None:
            code = BROKEN
    return code


def _key(options: Namespace) -> bytes:
    if not options.public_key:
        return b""
    with Path(options.public_key).open("rb") as file:
        return from_pem(file.read(LARGEST_KEY).decode("ascii", "replace"))
