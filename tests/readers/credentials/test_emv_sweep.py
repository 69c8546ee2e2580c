"""Two hundred taps of planted account numbers, and then a search for their digits in all that was said and kept."""

import re
import secrets
import socket
import subprocess
import sys
from itertools import cycle
from pathlib import Path

from readers.errors import CardGone
from readers.virtual.emv_card import EmvCard, Fault, Profile
from tests.readers.cards import FIXED_UID

ROOT = Path(__file__).parent.parent.parent.parent
TAPS = 200
NUMBER = "4929683127450918"
SECONDS = 60.0
PLANTED = [
    EmvCard(NUMBER, profile, reference, uid=FIXED_UID, fault=fault)
    for profile in Profile
    for reference, fault in (
        ("", Fault.NONE),
        ("V0010013021123456789012345678", Fault.NONE),
        ("", Fault.BROKEN_OFF),
        ("", Fault.RANDOM_LENGTHS),
        ("", Fault.NO_DIRECTORY),
        ("", Fault.ENDLESS_61XX),
        ("", Fault.DROPPED),
    )
]
FORMS = {
    "digits": NUMBER.encode("ascii"),
    "packed": bytes.fromhex(NUMBER),
    "packed, as a traceback shows it": repr(bytes.fromhex(NUMBER))[2:-1].encode("ascii"),
    "one digit a byte": bytes(map(int, NUMBER)),
    "one digit a byte, as a traceback shows it": repr(bytes(map(int, NUMBER)))[2:-1].encode("ascii"),
}
# The packed form is what the card sent. Python cannot wipe a bytes object: none lives on, but memory that was given
# back keeps its bytes until it is used again.
STRINGS = {name: form for name, form in FORMS.items() if name != "packed"}


def serve(wire: socket.socket) -> int:
    """Holds one card after another to the taps until they are over; returns how often account data went out."""
    cards, card, told = cycle(PLANTED), PLANTED[0], 0
    while size := int.from_bytes(wire.recv(2, socket.MSG_WAITALL), "big"):
        frame = wire.recv(size, socket.MSG_WAITALL)
        if frame == b"\x00":
            card = next(cards)
            card.power_on()
            continue
        try:
            answer = card.exchange(frame)
        except CardGone:
            answer = b""
        told += bytes.fromhex(NUMBER) in answer
        wire.sendall(len(answer).to_bytes(2, "big") + answer)
    return told


def memory(process: int) -> bytes:
    """Everything readable in the process's memory that it may write to: its heap, its stacks, its arenas."""
    kept = bytearray()
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as core:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            start, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()  # type: ignore[union-attr]
            if rights.startswith("rw"):
                core.seek(int(start, 16))
                kept += core.read(int(end, 16) - int(start, 16))
    return bytes(kept)


def test_no_digit_of_any_number_is_in_what_was_shown_or_in_memory(tmp_path: Path) -> None:
    control = secrets.token_hex(16)
    near, far = socket.socketpair()
    near.settimeout(SECONDS)
    shown = tmp_path / "shown"
    with near, far, shown.open("wb") as output:
        taps = subprocess.Popen(
            [sys.executable, "-m", "tests.readers.credentials.emv_taps", str(far.fileno()), str(TAPS), control],
            pass_fds=[far.fileno()],
            stdout=output,
            stderr=output,
            cwd=ROOT,
        )
        far.close()
        try:
            told = serve(near)
            core = memory(taps.pid)
            near.sendall(bytes.fromhex(NUMBER))
            assert taps.wait(SECONDS) == 0, shown.read_text(errors="replace")[-2000:]
        finally:
            taps.kill()
            taps.wait()
    said = shown.read_bytes()
    counts = re.search(rb"TAPS (\d+) CLAIMS (\d+) ERRORS (\d+)", said)
    assert counts is not None
    total, claims, errors = map(int, counts.groups())
    assert total == TAPS
    assert claims > TAPS / 8
    assert errors > TAPS / 4
    assert told > TAPS / 4
    assert b"Response(" in said
    assert control[::-1].encode("ascii") in core
    assert b"LIVE 0 CONTROL 1" in said
    assert {name: said.count(form) for name, form in FORMS.items()} == dict.fromkeys(FORMS, 0)
    assert {name: core.count(form) for name, form in STRINGS.items()} == dict.fromkeys(STRINGS, 0)
