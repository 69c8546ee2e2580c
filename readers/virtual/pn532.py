"""A PN532 made of software, with virtual cards in its field: what the chip answers to each command (user manual, 7).

It does what a reader of type A cards needs: the chip's own housekeeping, selection, and frames to and from the card.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from readers.errors import CardError, CardGone, TlvError
from readers.iso_dep import AnswerToSelect, FrameLost, IsoDep, rats
from readers.uid import CASCADE_TAG
from readers.virtual.card import VirtualCard
from readers.virtual.iso_dep import SELECT_LEVELS, Activation, answer_to_select

FIRMWARE = bytes.fromhex("32010607")
PN533_FIRMWARE = bytes.fromhex("33020707")
EEPROM = 0xA000
TIMED_OUT = b"\x01"
DONE = b"\x00"
CONTEXT = b"\x27"
TYPE_A = 0x00
AUTOMATIC_RATS = 0x10
FIFO_DATA = 0x6339
SENS_REQ = 0x26
FOREVER = 0xFF
SPEEDS = (9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600, 1_288_000)
FRAME_FOR_RATS = 64


@dataclass(frozen=True)
class Answer:
    """What the chip says, and how many seconds it takes it: it times silent cards itself. None: until one comes."""

    data: bytes
    seconds: float | None = 0.0


class Pn532:
    """The chip. One thread sends commands; cards may be laid on from another, under a lock of the caller's."""

    def __init__(self, firmware: bytes = FIRMWARE) -> None:
        self._firmware = firmware
        self._registers: dict[int, int] = {}
        self._parameters = AUTOMATIC_RATS
        self._timeout = 0.0
        self._sense_tries = FOREVER
        self._card: VirtualCard | None = None
        self._activation: Activation | None = None
        self._link: IsoDep | None = None
        self.is_asleep = True
        self.speed = 115_200
        self.next_speed = self.speed
        self.commands: list[int] = []
        self._handlers: dict[int, Callable[[bytes], Answer | None]] = {
            0x00: self._diagnose,
            0x02: lambda _: Answer(self._firmware),
            0x04: lambda _: Answer(bytes((0, 0, self._activation is not None, 0))),
            0x06: self._read_registers,
            0x08: self._write_registers,
            0x10: self._set_speed,
            0x12: self._set_parameters,
            0x14: lambda data: Answer(b"") if data else None,
            0x16: self._power_down,
            0x32: self._configure,
            0x40: self._exchange_data,
            0x42: lambda data: self._to_card(data),
            0x44: self._release,
            0x4A: self._list_targets,
            0x52: self._release,
        }

    @property
    def card(self) -> VirtualCard | None:
        """What lies in the field."""
        return self._card

    def insert(self, card: VirtualCard) -> None:
        """Lays a card on, in place of one that is there."""
        self._card, self._activation, self._link = card, None, None

    def remove(self) -> None:
        """Takes the card away."""
        self._card, self._activation, self._link = None, None, None

    def obey(self, code: int, data: bytes) -> Answer | None:
        """The answer to a command, without its code; None for a syntax error."""
        self.commands.append(code)
        handler = self._handlers.get(code)
        try:
            return handler(data) if handler else None
        except IndexError:  # fewer parameters than the command has
            return None

    def heard_answer(self) -> None:
        """The host has acknowledged: a new line speed is taken up now."""
        self.speed = self.next_speed

    def _diagnose(self, data: bytes) -> Answer | None:
        return Answer(data if data[0] == 0 else DONE)

    def _read_registers(self, data: bytes) -> Answer | None:
        places = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
        return Answer(bytes(self._registers.get(place, 0) for place in places))

    def _write_registers(self, data: bytes) -> Answer | None:
        for i in range(0, len(data), 3):
            self._registers[int.from_bytes(data[i : i + 2], "big")] = data[i + 2]
        return Answer(b"")

    def _set_speed(self, data: bytes) -> Answer | None:
        self.next_speed = SPEEDS[data[0]]
        return Answer(b"")

    def _set_parameters(self, data: bytes) -> Answer | None:
        self._parameters = data[0]
        return Answer(b"")

    def _power_down(self, data: bytes) -> Answer | None:
        self.is_asleep = bool(data[0])
        self._activation = self._link = None
        return Answer(DONE)

    def _configure(self, data: bytes) -> Answer | None:
        item = data[0]
        if item == 0x01 and not data[1] & 0x01:
            self._activation = self._link = None
        elif item == 0x02:
            self._timeout = 0.0001 * 2 ** (data[3] - 1) if data[3] else 0.0
        elif item == 0x05:
            self._sense_tries = data[3]
        return Answer(b"")

    def _release(self, _data: bytes) -> Answer | None:
        self._link = None
        return Answer(DONE)

    def _list_targets(self, data: bytes) -> Answer | None:
        found = self._select() if data[1] == TYPE_A else None
        if found is not None:
            return Answer(b"\x01\x01" + found)
        self._registers[FIFO_DATA] = SENS_REQ
        return Answer(DONE, None if self._sense_tries == FOREVER else 0.005 * (1 + self._sense_tries))

    def _select(self) -> bytes | None:
        """SENS_RES (high byte first), SEL_RES, the UID with its length, and the ATS where the chip asks for it."""
        if self._card is None or self._activation is not None:
            return None
        self._card.power_on()
        card, activation = self._card, Activation(self._card, answer_to_select(self._card.ats_historical), 0)
        self._activation = activation
        sens_res = activation.sense()
        uid, sel_res = b"", b""
        for level in SELECT_LEVELS:
            part = activation.answer(bytes((level, 0x20)))
            sel_res = activation.answer(bytes((level, 0x70)) + part) or b"" if part else b""
            if sens_res is None or part is None or not sel_res:
                return None
            is_cascade = sel_res[0] & 0x04 and part[0] == CASCADE_TAG
            uid += part[1:4] if is_cascade else part[:4]
            if not is_cascade:
                break
        found = (sens_res or b"")[::-1] + sel_res + bytes((len(uid),)) + uid
        if card.takes_apdus and self._parameters & AUTOMATIC_RATS:
            ats = activation.answer(rats(FRAME_FOR_RATS)) or b""
            self._link = IsoDep(self._air, AnswerToSelect.parse(ats), time.monotonic)
            found += ats
        return found

    def _to_card(self, frame: bytes) -> Answer:
        try:
            return Answer(DONE + self._air(frame, self._timeout))
        except FrameLost:
            return Answer(TIMED_OUT, self._timeout)

    def _exchange_data(self, data: bytes) -> Answer | None:
        if data[0] & 0x3F != 1 or self._activation is None:
            return Answer(CONTEXT)
        if self._link is None:
            return self._to_card(data[1:])
        try:
            return Answer(DONE + self._link.transceive(data[1:]))
        except (CardError, TlvError):
            return Answer(TIMED_OUT, self._timeout)

    def _air(self, frame: bytes, _timeout: float) -> bytes:
        """One frame to the card in the field; raises FrameLost for silence."""
        try:
            reply = self._activation.answer(frame) if self._activation and frame else None
        except CardGone:
            self.remove()
            reply = None
        if reply is None:
            raise FrameLost("No answer from the card")
        return reply


class Pn533(Pn532):
    """Its sister on USB: registers are answered with a status in front, and there is no memory chip beside it."""

    def __init__(self) -> None:
        super().__init__(PN533_FIRMWARE)
        self.is_asleep = False

    def _read_registers(self, data: bytes) -> Answer | None:
        if int.from_bytes(data[:2], "big") >= EEPROM:
            return Answer(TIMED_OUT)
        answer = super()._read_registers(data)
        return answer and Answer(DONE + answer.data)

    def _write_registers(self, data: bytes) -> Answer | None:
        super()._write_registers(data)
        return Answer(DONE)
