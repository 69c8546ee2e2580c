"""C-ECHO (PS3.4 Annex A)."""

from threading import Event
from time import monotonic
from typing import Final

from kiosk.imaging.calls import Echoed
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Context, associate
from kiosk.imaging.network.commands import CommandField, echo_request
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

VERIFICATION: Final = "1.2.840.10008.1.1"


def echo(peer: Peer, cancel: Event) -> Echoed:
    """Associates, asks, and says how long both took; raises ImagingError or Cancelled."""
    started = monotonic()
    context = Context(VERIFICATION, (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN))
    with associate(peer, [context], cancel) as association:
        granted = association.find_context(VERIFICATION)
        if granted is None:
            raise status.not_granted(peer, "C-ECHO")
        message_id = association.next_message_id()
        association.send(granted, echo_request(message_id, VERIFICATION))
        command = association.response(message_id, CommandField.C_ECHO_RSP).command
        if command.status != status.SUCCESS:
            raise status.echo_refused(peer, command.status, command.comment)
        return Echoed(monotonic() - started)
