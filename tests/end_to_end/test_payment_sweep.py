"""Two hundred taps of planted payment cards on a whole kiosk, and a search for their digits in all that it kept."""

import re
import secrets
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from readers.virtual.emv_card import TRACK_TAIL
from tests.end_to_end.program import ROOT
from tests.readers.credentials.test_emv_sweep import NUMBER, TAPS, memory, serve

SECONDS = 100.0
IN_FOURS = [NUMBER[start : start + 4] for start in range(0, len(NUMBER), 4)]
PACKED = bytes.fromhex(NUMBER)
IN_PAIRS = [NUMBER[start : start + 2] for start in range(0, len(NUMBER), 2)]
STRINGS = {
    "digits, which are the packed form in hexadecimal too": NUMBER.encode("ascii"),
    "digits in fours": " ".join(IN_FOURS).encode("ascii"),
    "digits in fours with dashes": "-".join(IN_FOURS).encode("ascii"),
    "packed, in pairs": " ".join(IN_PAIRS).encode("ascii"),
    "packed, in pairs with colons": ":".join(IN_PAIRS).encode("ascii"),
    "packed, as a traceback shows it": repr(PACKED)[2:-1].encode("ascii"),
    "packed, as a list": str(list(PACKED))[1:-1].encode("ascii"),
    "digits in UTF-16": NUMBER.encode("utf-16-le"),
    "digits in UTF-32": NUMBER.encode("utf-32-le"),
    "one digit a byte": bytes(map(int, NUMBER)),
    "one digit a byte, as a traceback shows it": repr(bytes(map(int, NUMBER)))[2:-1].encode("ascii"),
}
# A card sends its number packed. Python cannot wipe a bytes object: none lives on, but memory that was given back keeps
# its bytes until it is used again. That form is looked for in everything but memory; so is the rest of track 2, which
# the virtual cards' own module holds.
FORMS = STRINGS | {
    "packed": PACKED,
    "what follows the number on track 2": TRACK_TAIL.encode("ascii"),
    "what follows the number on track 2, packed": bytes.fromhex(TRACK_TAIL[:14]),
}


def everything_in(folder: Path) -> dict[str, bytes]:
    """Every file below, journals of a running kiosk included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.timeout(300)
def test_no_digit_of_any_number_is_in_anything_that_a_kiosk_keeps(tmp_path: Path) -> None:
    control = secrets.token_hex(16)
    near, far = socket.socketpair()
    near.settimeout(SECONDS)
    shown = tmp_path / "shown"
    with near, far, shown.open("wb") as output:
        kiosk = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.payment_taps", *map(str, (far.fileno(), tmp_path, TAPS, control))],
            pass_fds=[far.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ROOT,
        )
        far.close()
        try:
            told = serve(near)
            core, living = memory(kiosk.pid), everything_in(tmp_path)
            with suppress(BrokenPipeError):  # a kiosk that fell says why below
                near.sendall(PACKED)
            assert kiosk.wait(SECONDS) == 0, shown.read_text(errors="replace")[-2000:]
        finally:
            kiosk.kill()
            kiosk.wait()
    said = shown.read_bytes()
    counts = re.search(rb"TAPS (\d+) OPENED (\d+) DENIED (\d+)", said)
    assert counts is not None, said[-2000:].decode(errors="replace")
    taps, opened, denied = map(int, counts.groups())
    assert (taps, opened + denied) == (TAPS, TAPS)
    assert opened > TAPS / 4
    assert denied > TAPS / 4
    assert told > TAPS / 2
    assert control[::-1].encode("ascii") in core
    assert b"LIVE 0 CONTROL 1" in said
    kept = everything_in(tmp_path)
    for name, witness in WITNESSES.items():
        assert any(name in path and witness in content for path, content in kept.items()), name
    for files in (living, kept):
        assert not [(path, form) for path, content in files.items() for form in FORMS if FORMS[form] in content]
    assert {form: core.count(content) for form, content in STRINGS.items()} == dict.fromkeys(STRINGS, 0)


WITNESSES = {
    "directory.db": b"s.lindqvist",
    "trail.db": b"emv:",
    "recording": b"325041592E5359532E4444463031",
    "log": b"SessionOpened",
    "shown": b"emv:",
}
"""What must be in a file for a search in it to mean something: it is the right one, in a form that can be read."""
