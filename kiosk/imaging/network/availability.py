"""Instance Availability Notification (PS3.4 Annex R): a listener is told where instances can be had now.

Only the attributes that the service names: it forbids others, and so nothing of the patient goes out.
"""

from collections.abc import Sequence
from threading import Event
from typing import Final

from pydicom.uid import generate_uid

from kiosk.imaging.calls import Available, Notified
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Context, associate
from kiosk.imaging.network.commands import CommandField, create_request
from kiosk.imaging.network.data_sets import DataSetWriter
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

INSTANCE_AVAILABILITY: Final = "1.2.840.10008.5.1.4.33"

_CONTEXT: Final = Context(INSTANCE_AVAILABILITY, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))
_RETRIEVE_AE_TITLE: Final = 0x00080054
_AVAILABILITY: Final = 0x00080056
_PERFORMED_STEPS: Final = 0x00081111
_REFERENCED_SERIES: Final = 0x00081115
_REFERENCED_CLASS: Final = 0x00081150
_REFERENCED_INSTANCE: Final = 0x00081155
_REFERENCED_INSTANCES: Final = 0x00081199
_STUDY_INSTANCE_UID: Final = 0x0020000D
_SERIES_INSTANCE_UID: Final = 0x0020000E


def notify(listener: Peer, available: Sequence[Available], cancel: Event) -> Notified:
    """N-CREATE; see `Imaging.notify`. Raises PeerLacks for a peer that does not listen, and PeerRefused."""
    with associate(listener, [_CONTEXT], cancel) as association:
        context = association.find_context(INSTANCE_AVAILABILITY)
        if context is None:
            raise status.not_granted(listener, "instance availability notification")
        message_id = association.next_message_id()
        command = create_request(message_id, INSTANCE_AVAILABILITY, str(generate_uid(prefix=None)))
        association.send(context, command, encode(available, context.transfer_syntax))
        answer = association.response(message_id, CommandField.N_CREATE_RSP).command
        if answer.status != status.SUCCESS and not status.is_warning(answer.status):
            raise status.notification_refused(listener, answer.status, answer.comment)
        return Notified()


def encode(available: Sequence[Available], transfer_syntax_uid: str) -> bytes:
    """The attributes (PS3.4 table R.3.2-1) for series of one study."""
    write = DataSetWriter(transfer_syntax_uid)
    series = [
        (
            write.sequence(
                _REFERENCED_INSTANCES,
                [
                    (
                        write.text(_RETRIEVE_AE_TITLE, "AE", one.retrieve_ae_title),
                        write.text(_AVAILABILITY, "CS", "ONLINE"),
                        write.text(_REFERENCED_CLASS, "UI", instance.sop_class_uid),
                        write.text(_REFERENCED_INSTANCE, "UI", instance.sop_instance_uid),
                    )
                    for instance in one.instances
                ],
            ),
            write.text(_SERIES_INSTANCE_UID, "UI", one.series_instance_uid),
        )
        for one in available
    ]
    return (
        write.sequence(_PERFORMED_STEPS, ())
        + write.sequence(_REFERENCED_SERIES, series)
        + write.text(_STUDY_INSTANCE_UID, "UI", available[0].study_instance_uid)
    )
