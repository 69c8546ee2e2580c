"""What a virtual DESFire and a virtual NTAG 424 have in common: UID, handshakes, and the faults that can be planted."""

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from readers.apdu import Command
from readers.atr import contactless_atr
from readers.credentials.aes import BLOCK
from readers.errors import ReaderError
from readers.uid import RANDOM_FIRST_BYTE, Uid
from readers.virtual.faults import Breakable
from readers.virtual.faults import Fault as Fault
from readers.virtual.picc import Channel, Ev1Channel, Ev1Handshake, Ev2Channel, Ev2Handshake, Handshake

NATIVE_CLASS = 0x90
AUTHENTICATE_AES = 0xAA
AUTHENTICATE_EV2_FIRST = 0x71
ADDITIONAL_FRAME = 0xAF
GET_CARD_UID = 0x51
GET_RESPONSE = 0xC0

DONE = bytes.fromhex("9100")
MORE = bytes.fromhex("91AF")
ILLEGAL_COMMAND = bytes.fromhex("911C")
INTEGRITY_ERROR = bytes.fromhex("911E")
NO_SUCH_KEY = bytes.fromhex("9140")
WRONG_LENGTH = bytes.fromhex("917E")
PERMISSION_DENIED = bytes.fromhex("919D")
AUTHENTICATION_ERROR = bytes.fromhex("91AE")
MORE_BYTES = bytes.fromhex("61FF")
FRAME_SIZE = 59
ENDLESS = 10_000


class AesCard(Breakable, ABC):
    """A card with AES keys. Subclasses say which keys there are and what their commands do.

    REPLAYED says again what an earlier presentation said, word for word; STALE_DATA does so with protected data only.
    FORGED has no key and answers everything as if it had. TWO_UIDS shows another UID than it was made with.
    """

    own_faults = frozenset(
        (
            Fault.NONE,
            Fault.WRONG_KEY,
            Fault.FORGED,
            Fault.REPLAYED,
            Fault.STALE_DATA,
            Fault.TAMPERED,
            Fault.WITHOUT_MAC,
            Fault.TWO_UIDS,
            Fault.DROPPED,
            Fault.RANDOM_LENGTHS,
            Fault.ENDLESS_FRAMES,
            Fault.ENDLESS_61XX,
            Fault.SLOW,
        )
    )

    def __init__(
        self,
        uid: Uid,
        *,
        random_uid: bool = False,
        fault: Fault = Fault.NONE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`random_uid` hides `uid` behind a new one in each field. `sleep` is how the slow card thinks."""
        super().__init__(fault, sleep)
        self._own_uid = uid
        self._random_uid = random_uid
        self._handshake: Handshake | None = None
        self._pending = b""
        self._said: list[bytes] = []
        self._tape: list[bytes] = []
        self._last_protected: dict[int, bytes] = {}
        self._channel: Channel | None = None
        self._shown_uid = self._new_shown_uid()

    @property
    @abstractmethod
    def ats_historical(self) -> bytes:
        """The historical bytes of its ATS."""

    @abstractmethod
    def _key(self, number: int) -> bytes | None:
        """The key of that number where the card stands now; None where there is none."""

    @abstractmethod
    def _execute(self, command: Command) -> bytes:
        """Everything but the handshake and GetCardUID; the answer with its status word."""

    @property
    def real_uid(self) -> Uid:
        """What GetCardUID tells."""
        return self._own_uid

    @property
    def uid(self) -> Uid:
        """What the anticollision shows in this field."""
        if self.fault is Fault.TWO_UIDS and not self._random_uid:
            return Uid(self._own_uid.value[:-1] + bytes((self._own_uid.value[-1] ^ 0x01,)))
        return self._shown_uid

    @property
    def atr(self) -> bytes:
        """The ATR of an ISO/IEC 14443-4 card."""
        return contactless_atr(self.ats_historical)

    @property
    def takes_apdus(self) -> bool:
        """Always."""
        return True

    def power_on(self) -> None:
        """A new field: nobody authenticated, a new UID where that is random."""
        self._shown_uid = self._new_shown_uid()
        if self.fault is Fault.REPLAYED:
            self._tape = list(self._said)
        else:
            self._said = []
        self.forget()

    def forget(self) -> None:
        """Ends the session and whatever was under way."""
        self._handshake, self._channel, self._pending = None, None, b""

    def exchange(self, raw: bytes) -> bytes:
        """One APDU; nothing at all where the fault takes the card away."""
        self._think()
        if self.fault is Fault.REPLAYED:
            return self._tape.pop(0) if self._tape else AUTHENTICATION_ERROR
        try:
            command = Command.parse(raw)
        except ReaderError:
            return WRONG_LENGTH
        answer = self._spoiled(command, self._answer(command))
        self._said.append(answer)
        return answer

    def _answer(self, command: Command) -> bytes:
        if command.cla != NATIVE_CLASS:
            return self._execute(command)
        if command.ins == AUTHENTICATE_AES:
            return self._begin(command.data, Ev1Handshake, 1)
        if command.ins == AUTHENTICATE_EV2_FIRST:
            return self._begin(command.data, Ev2Handshake, 2)
        if command.ins == ADDITIONAL_FRAME and self._handshake is not None:
            return self._finish(self._handshake, command.data)
        self._handshake = None
        if command.ins == ADDITIONAL_FRAME and self._pending:
            return self._next_frame()
        self._pending = b""
        if command.ins == GET_CARD_UID:
            return self._card_uid(command)
        return self._execute(command)

    def _begin(self, data: bytes, kind: type[Ev1Handshake | Ev2Handshake], minimum: int) -> bytes:
        self.forget()
        if len(data) < minimum:
            return WRONG_LENGTH
        key = self._key(data[0])
        if key is None:
            return NO_SUCH_KEY
        if len(key) != kind.cipher.key_size:
            return AUTHENTICATION_ERROR
        if self.fault in (Fault.WRONG_KEY, Fault.FORGED):
            key = secrets.token_bytes(len(key))
        self._handshake = kind(data[0], key, secrets.token_bytes(kind.cipher.block))
        return self._handshake.first_answer + MORE

    def _finish(self, handshake: Handshake, token: bytes) -> bytes:
        self.forget()
        finished = handshake.finish(token)
        if self.fault is Fault.FORGED:
            number, made_up = handshake.key_number, secrets.token_bytes(BLOCK)
            if isinstance(handshake, Ev1Handshake):
                self._channel = Ev1Channel(number, made_up)
                return secrets.token_bytes(BLOCK) + DONE
            self._channel = Ev2Channel(number, made_up, made_up, bytes(4))
            return secrets.token_bytes(2 * BLOCK) + DONE
        if finished is None:
            return AUTHENTICATION_ERROR
        answer, self._channel = finished
        return answer + DONE

    def _card_uid(self, command: Command) -> bytes:
        channel = self._channel
        if channel is None:
            return AUTHENTICATION_ERROR
        if channel.received(command.ins, command.data) is None:
            self.forget()
            return INTEGRITY_ERROR
        told = self._own_uid.value
        if self.fault is Fault.TWO_UIDS and self._random_uid:
            told = told[:-1] + bytes((told[-1] ^ 0x01,))
        return self.protected(command.ins, channel.enciphered(told))

    def protected(self, instruction: int, answer: bytes) -> bytes:
        """Protected data on their way out, where faults that know nothing of keys get at them."""
        earlier = self._last_protected.get(instruction, answer)
        self._last_protected[instruction] = answer
        self._pending = answer
        if self.fault is Fault.STALE_DATA:
            self._pending = earlier
        elif self.fault is Fault.TAMPERED:
            self._pending = bytes((answer[0] ^ 0x01,)) + answer[1:]
        elif self.fault is Fault.WITHOUT_MAC:
            self._pending = answer[:-8]
        elif self.fault is Fault.ENDLESS_FRAMES:
            self._pending = answer * ENDLESS
        return self._next_frame()

    def _next_frame(self) -> bytes:
        frame, self._pending = self._pending[:FRAME_SIZE], self._pending[FRAME_SIZE:]
        return frame + (MORE if self._pending else DONE)

    def _spoiled(self, command: Command, answer: bytes) -> bytes:
        decisive = command.ins in (ADDITIONAL_FRAME, 0xB0)
        if self.fault is Fault.DROPPED and decisive:
            return b""
        if self.fault is Fault.ENDLESS_61XX and (decisive or command.ins == GET_RESPONSE):
            return secrets.token_bytes(32) + MORE_BYTES
        if self.fault is Fault.RANDOM_LENGTHS and len(answer) > 2:
            kept = secrets.randbelow(len(answer) - 2)
            return answer[:kept] + answer[-2:] if secrets.randbelow(2) else b"\x00" * (kept + 1) + answer
        return answer

    def _new_shown_uid(self) -> Uid:
        return Uid(bytes((RANDOM_FIRST_BYTE,)) + secrets.token_bytes(3)) if self._random_uid else self._own_uid

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._own_uid.masked}, {self.fault.value})"
