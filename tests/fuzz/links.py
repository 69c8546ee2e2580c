"""Targets that speak a protocol: ISO-DEP frames, lines to the control socket, frames of vpcd."""

import json
import socket
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

from readers import control
from readers.control import LONGEST_LINE, ControlServer
from readers.errors import CardError, CardGone, ReaderError
from readers.iso_dep import LONGEST_RESPONSE, AnswerToSelect, FrameLost, IsoDep, rats
from readers.simulated import SimulatedReader
from readers.virtual.card import VirtualCard
from readers.virtual.deck import Deck, DeckCard
from readers.virtual.iso_dep import Activation, answer_to_select, selection_levels
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from readers.virtual.vpcd import _Visit
from tests.fuzz.meddling import Script
from tests.fuzz.target import Target, require
from tests.readers.cards import FIXED_UID, EchoCard, ManualClock

LONGEST_EXCHANGE = 2.0
FRAME_SECONDS = 0.001
LONGEST_WAIT = 2.0
HONEST, SAY, LOSE, TIDY = range(4)
VPCD_CARDS = (PkocPhone.from_private_value(7), UidCard(FIXED_UID), UidCard(FIXED_UID, takes_apdus=True))
APDUS = (b"\x00\xa4\x04\x00", bytes(range(200)), b"\x00\xc0\x00\x00\x00")


class Frames:
    """The air between a reader and a card: steps of one byte (see HONEST to TIDY), SAY with a count and a frame."""

    def __init__(self, script: Script, clock: ManualClock) -> None:
        self._script = script
        self._clock = clock
        self._honest = Activation(EchoCard(), answer_to_select(b"", 8), 0)
        for command, level in zip((0x93, 0x95, 0x97), selection_levels(FIXED_UID), strict=False):
            self._honest.answer(bytes((command, 0x70)) + level)
        self._honest.answer(rats(256))
        self.count = 0

    def exchange(self, frame: bytes, timeout: float) -> bytes:
        """One frame there and one back."""
        require(0 < len(frame) <= 256 and 0 < timeout <= LONGEST_WAIT, "An impossible frame or waiting time")
        self.count += 1
        self._clock.advance(FRAME_SECONDS)
        step = HONEST if self._script.is_over else self._script.number() % 4
        if step == SAY:
            return self._script.take(self._script.number())
        answer = None if step == LOSE else self._honest.answer(frame)
        if answer is None:
            self._clock.advance(timeout)
            raise FrameLost("lost")
        return answer


def check_iso_dep(data: bytes) -> None:
    """Every exchange ends: with an answer, or with one of two errors, within its time."""
    script, clock = Script(data), ManualClock()
    frames = Frames(script, clock)
    fsci = script.number() % 9
    link = IsoDep(frames.exchange, AnswerToSelect.parse(answer_to_select(b"", fsci)), clock)
    for apdu in APDUS:
        start = clock()
        try:
            answer = link.transceive(apdu)
        except CardError:
            link.is_present()
            link.deselect()
            return
        # each frame may be waited for once more after the time has passed
        require(clock() <= start + LONGEST_EXCHANGE + LONGEST_WAIT + FRAME_SECONDS, "Longer than any exchange")
        require(len(answer) <= LONGEST_RESPONSE + 256, "More than any answer")


def check_control(data: bytes) -> None:
    """Any line is answered with one line of JSON, or the connection ends; a card lies there only after an "ok".

    The same line as an answer is understood, or refused in words.
    """
    try:
        control._listed(control._agreed(data))
    except ReaderError as error:
        require(str(error).isprintable(), "A reason that does not print")
    reader = SimulatedReader(Deck([DeckCard("badge", "A badge", UidCard(FIXED_UID))]), monotonic=ManualClock())
    reader.open()
    reader.wait(0.0)
    server = ControlServer(Path("nowhere"), reader)
    near, far = socket.socketpair()
    with near, far:
        near.sendall(data[: 2 * LONGEST_LINE])
        near.shutdown(socket.SHUT_WR)
        converse: Callable[[socket.socket], None] = server._converse
        try:
            converse(far)
        except ConnectionError:
            require(b"\n" not in data or data.index(b"\n") >= LONGEST_LINE - 4096, "A whole line went unanswered")
            return
        far.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: near.recv(65_536), b""))
    require(said.endswith(b"\n") and said.count(b"\n") == 1, "Not one line")
    reply = json.loads(said)
    require(isinstance(reply["ok"], bool), "Neither yes nor no")
    happened = reader.wait(0.0)
    require(reply["ok"] or not happened, "Something happened after a no")
    require(reply["ok"] or str(reply["error"]).isprintable(), "An error that does not print")


def check_vpcd(data: bytes) -> None:
    """Every frame is answered, or wants no answer, or the card is gone."""
    for card in VPCD_CARDS:
        card.power_on()
        script = Script(data)
        while not script.is_over:
            _ask(card, script.take(script.number()))


def _ask(card: VirtualCard, frame: bytes) -> None:
    try:
        reply = _Visit(("", 0), card)._reply(frame)
    except CardGone:
        return
    if reply is None:
        require(len(frame) == 1, "An APDU without an answer")
    else:
        require(len(reply) >= 2, "An answer without a status word")


def _frames() -> Iterable[bytes]:
    yield from (bytes((fsci,)) for fsci in range(9))
    said = ("", "F201", "F23B", "A2", "A3", "B2", "120102", "130304", "02900000", "C2")
    pieces = [bytes((LOSE,)), *(bytes((SAY, len(digits) // 2)) + bytes.fromhex(digits) for digits in said)]
    for piece, other in [*pairwise(pieces), *((piece, piece) for piece in pieces)]:
        for before in range(3):
            yield b"\x08" + bytes((HONEST,)) * before + piece + other


def _lines() -> Iterable[bytes]:
    requests: tuple[object, ...] = (
        {"tap": "badge", "seconds": 0.5},
        {"tap": "badge"},
        {"tap": "nobody"},
        {"remove": True},
        {"cards": True},
        {"tap": "badge", "seconds": 1e999},
        {"tap": ["badge"]},
        [[[[1]]]],
        "\ud800",
    )
    yield from (json.dumps(request).encode() + b"\n" for request in requests)
    answers = ({"ok": True, "cards": [{"name": "a", "label": "b"}]}, {"ok": False, "error": "x\x1b[2J"}, {"ok": True})
    yield from (json.dumps(answer).encode() for answer in answers)
    yield from (b'{"ok": true, "cards": [7]}', b"[" * 4000)
    yield from (b"\n", b"[" * 4000 + b"\n", b"9" * 4090 + b"\n", b"NaN\n", b"\xff\xfe\n", b'{"tap": "badge"}')


def _vpcd_frames() -> Iterable[bytes]:
    apdus = ("00", "01", "02", "04", "FFCA000000", "FFCA010000", "FF", "00A4040008A00000089800000100", "808000013800")
    for digits in apdus:
        frame = bytes.fromhex(digits)
        yield bytes((len(frame),)) + frame


LINKS = {
    target.name: target
    for target in (
        Target("iso-dep", check_iso_dep, _frames),
        Target("control", check_control, _lines),
        Target("vpcd", check_vpcd, _vpcd_frames),
    )
}
