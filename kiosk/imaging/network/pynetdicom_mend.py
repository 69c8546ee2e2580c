"""What pynetdicom 3.0.4 needs before its own associations may run in a process: `mend()` once, before the first.

Our associations do not use its threads (see `association`); its servers do, and so does whoever calls its `send_*`.
"""

from typing import Any, Final

import pynetdicom
from pynetdicom import _config
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.transport import AssociationSocket

RELEASE: Final = "3.0.4"
LONGEST_PDU: Final = 1024 * 1024

_get_message = DIMSEServiceProvider.get_msg
_receive = AssociationSocket.recv


def _get_message_unless_response(self: Any, block: bool = False) -> Any:  # noqa: ANN401 - pynetdicom's types are private
    """The reactor asks without blocking, `send_*` blocks: a response is for `send_*` only.

    Whether the reactor is paused is checked too early, so that now and then it takes a response and throws it away
    while `send_*` waits for it until the timeout.
    """
    if not block:
        _, message = self.peek_msg()
        if message is not None and message.MessageIDBeingRespondedTo is not None:
            return None, None
    return _get_message(self, block)


def _receive_bounded(self: Any, nr_bytes: int) -> bytearray:  # noqa: ANN401 - pynetdicom's types are private
    """A PDU announces its length in 32 bits; believing it is 4 GB of memory for six bytes of attack."""
    if nr_bytes > LONGEST_PDU:
        raise OSError("PDU too long")
    received: bytearray = _receive(self, nr_bytes)
    return received


def mend() -> None:
    """Applies the mends to this process; a second time changes nothing. Raises RuntimeError for another release."""
    if pynetdicom.__version__ != RELEASE:
        raise RuntimeError(f"The mends are for pynetdicom {RELEASE}, not {pynetdicom.__version__}")
    DIMSEServiceProvider.get_msg = _get_message_unless_response
    AssociationSocket.recv = _receive_bounded
    # Its logging of identifiers writes patients' names, printed or not, and costs 0.2 ms an answer.
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
