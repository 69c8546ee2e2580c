"""The only file that knows pyscard: its lowest layer, typed, without its monitors. "pcsc" or "pcsc:ACR1252*".

pyscard's monitors end for good when the daemon restarts, and print their tracebacks into the screen.
"""

from collections.abc import Sequence

from smartcard import scard

from readers.pcsc_calls import COMM_ERROR, Connected, SlotState
from readers.pcsc_reader import PcscReader


def open_spec(argument: str) -> PcscReader:
    """The readers whose names fit `argument`, all of them when it is empty; nothing is opened yet."""
    return PcscReader(Pyscard(), argument)


class Pyscard:
    """PcscCalls over smartcard.scard. All calls give up the interpreter lock while they block."""

    def establish_context(self) -> tuple[int, int]:
        """Code and context."""
        code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        return _unsigned(code), int(context)

    def release_context(self, context: int) -> int:
        """Code."""
        return _unsigned(scard.SCardReleaseContext(context))

    def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
        """Code and names."""
        code, names = scard.SCardListReaders(context, [])
        return _unsigned(code), tuple(str(name) for name in names)

    def get_status_change(
        self, context: int, milliseconds: int, states: Sequence[SlotState]
    ) -> tuple[int, tuple[SlotState, ...]]:
        """Code and rows; on failure pyscard may stumble over the rows' uninitialised ATRs, which says no more."""
        rows = [(state.name, state.flags) for state in states]
        try:
            code, answer = scard.SCardGetStatusChange(context, milliseconds, rows)
        except SystemError:
            return COMM_ERROR, ()
        return _unsigned(code), tuple(SlotState(name, _unsigned(flags), bytes(atr)) for name, flags, atr in answer)

    def cancel(self, context: int) -> int:
        """Code."""
        return _unsigned(scard.SCardCancel(context))

    def connect(self, context: int, name: str, *, exclusive: bool) -> tuple[int, Connected]:
        """Code and handle."""
        share = scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.SCARD_SHARE_SHARED
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, handle, protocol = scard.SCardConnect(context, name, share, protocols)
        return _unsigned(code), Connected(int(handle), int(protocol))

    def begin_transaction(self, handle: int) -> int:
        """Code."""
        return _unsigned(scard.SCardBeginTransaction(handle))

    def end_transaction(self, handle: int) -> int:
        """Code."""
        return _unsigned(scard.SCardEndTransaction(handle, scard.SCARD_LEAVE_CARD))

    def transmit(self, card: Connected, command: bytes) -> tuple[int, bytes]:
        """Code and response."""
        code, response = scard.SCardTransmit(card.handle, card.protocol, list(command))
        return _unsigned(code), bytes(value & 0xFF for value in response)

    def control(self, handle: int, data: bytes) -> tuple[int, bytes]:
        """Code and answer; libccid takes escape commands under control code 1 only."""
        code, answer = scard.SCardControl(handle, scard.SCARD_CTL_CODE(1), list(data))
        return _unsigned(code), bytes(value & 0xFF for value in answer)

    def disconnect(self, handle: int) -> int:
        """Code; to power the card off would make a resting phone announce itself anew."""
        return _unsigned(scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD))


def _unsigned(value: int) -> int:
    """pyscard gives codes and states signed or unsigned by platform."""
    return int(value) & 0xFFFFFFFF
