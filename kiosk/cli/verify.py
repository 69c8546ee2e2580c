"""`kiosk audit verify`: checking the trail; loads nothing of the kiosk but the trail itself."""

import sys
from argparse import Namespace
from pathlib import Path

from kiosk.audit import (
    Checkpoint,
    Evidence,
    FileAnchors,
    TrailClient,
    Verification,
    verify,
    verify_segments,
    verify_stored,
)
from kiosk.audit.mac_key import KEY_SIZE
from kiosk.audit.signing import from_pem
from kiosk.config.loader import load
from kiosk.errors import TrailError

WHOLE = 0
BROKEN = 1
FOREIGN = 3
UNREADABLE = 4
LARGEST_KEY = 4096


def check(options: Namespace) -> int:
    """Checks the whole chain; reads only, so that a copy on another machine verifies like the original."""
    try:
        if options.segment:
            return _check_segments(options)
        found = _verified(options)
    except (TrailError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        print(f"kiosk: {reason}", file=sys.stderr)
        return UNREADABLE
    return _say(found)


def _check_segments(options: Namespace) -> int:
    evidence = _evidence(options)
    return max(map(_say, verify_segments(tuple(map(Path, options.segment)), evidence)))


def _say(found: Verification) -> int:
    print(found.sentence)
    if found.whole:
        return WHOLE
    return FOREIGN if found.foreign else BROKEN


def _verified(options: Namespace) -> Verification:
    evidence = _evidence(options)
    if options.db:
        return verify(Path(options.db), evidence=evidence)
    config = load(Path(options.config))
    if config.audit.socket is None:
        return verify(config.trail_path, evidence=evidence)
    with TrailClient(config.audit.socket) as trail:
        return verify_stored(trail, evidence)


def _evidence(options: Namespace) -> Evidence:
    anchors: tuple[Checkpoint, ...] = ()
    if options.anchors:
        path = Path(options.anchors)
        path.stat()  # a file that is not there anchors nothing, and was not meant
        anchors = tuple(FileAnchors(path).read())
        if not anchors:
            raise TrailError(f"There is no checkpoint in {path.name}.")
    return Evidence(
        from_pem(_text(options.public_key)) if options.public_key else b"",
        anchors,
        first_mac_key=_mac_key(_text(options.mac_key)) if options.mac_key else b"",
    )


def _text(name: str) -> str:
    with Path(name).open("rb") as file:
        return file.read(LARGEST_KEY).decode("ascii", "replace")


def _mac_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise TrailError(f"A MAC key from escrow is {KEY_SIZE} octets, two hexadecimal digits each.")
    return key
