"""Instance Availability Notification to a pynetdicom listener, and what it may not carry."""

from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from kiosk.errors import PeerLacks, PeerRefused
from kiosk.imaging.calls import Available, InstanceKey, Notified
from kiosk.imaging.network.availability import INSTANCE_AVAILABILITY, notify
from kiosk.imaging.network.pynetdicom_mend import mend
from kiosk.imaging.peers import Peer
from tests.peers import Server, free_port, local_peer

CT = "1.2.840.10008.5.1.4.1.1.2"
AVAILABLE = (
    Available("1.2.3", "1.2.3.1", (InstanceKey("1.2.3.1.1", CT, 1), InstanceKey("1.2.3.1.2", CT, None)), "PACS"),
    Available("1.2.3", "1.2.3.2", (InstanceKey("1.2.3.2.1", CT, None),), "PACS"),
)


class Desk:
    """Takes notifications, each answered with `status`."""

    def __init__(self) -> None:
        self.status = 0
        self.told: list[Dataset] = []

    def on_create(self, event: Any) -> tuple[int, Dataset]:
        self.told.append(event.attribute_list)
        return self.status, Dataset()


@pytest.fixture(params=[ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def desk(request: pytest.FixtureRequest) -> Iterator[tuple[Desk, Peer]]:
    mend()
    desk = Desk()
    entity = AE(ae_title="RIS")
    entity.add_supported_context(INSTANCE_AVAILABILITY, request.param)
    port = free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_CREATE, desk.on_create)])
    assert server is not None
    yield desk, local_peer("RIS", "RIS", port)
    server.shutdown()


def test_the_listener_learns_which_instances_are_where_and_nothing_else(desk: tuple[Desk, Peer]) -> None:
    assert notify(desk[1], AVAILABLE, Event()) == Notified()
    (told,) = desk[0].told
    assert [element.keyword for element in told] == [
        "ReferencedPerformedProcedureStepSequence", "ReferencedSeriesSequence", "StudyInstanceUID",
    ]  # fmt: skip
    assert told.StudyInstanceUID == "1.2.3"
    assert len(told.ReferencedPerformedProcedureStepSequence) == 0
    assert [series.SeriesInstanceUID for series in told.ReferencedSeriesSequence] == ["1.2.3.1", "1.2.3.2"]
    first = told.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert [one.ReferencedSOPInstanceUID for one in first] == ["1.2.3.1.1", "1.2.3.1.2"]
    assert {(one.ReferencedSOPClassUID, one.InstanceAvailability, one.RetrieveAETitle) for one in first} == {
        (CT, "ONLINE", "PACS")
    }


@pytest.mark.parametrize("status", [0x0106, 0x0110, 0x0111, 0x0120, 0x0124, 0x0213])
def test_a_listener_that_says_no_is_named(desk: tuple[Desk, Peer], status: int) -> None:
    desk[0].status = status
    with pytest.raises(PeerRefused, match=f"RIS.* refused the notification: .*{status:04X}"):
        notify(desk[1], AVAILABLE, Event())


def test_a_peer_that_does_not_listen_is_told_apart(storescp: Server) -> None:
    with pytest.raises(PeerLacks):
        notify(storescp.peer, AVAILABLE, Event())
