"""Where we listen: who may speak, and what they are answered."""

import socket
import subprocess
from pathlib import Path
from threading import Event

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE

from kiosk.errors import ImagingError, PeerRefused
from kiosk.imaging.network.echo import VERIFICATION, echo
from kiosk.imaging.network.keys import STUDY_ROOT_MOVE
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.peers import Peer, Receiving
from tests.kiosk.imaging.test_move import KIOSK, listening
from tests.peers import (
    ct_instance,
    local_peer,
)


def test_nobody_from_another_address_is_listened_to() -> None:
    elsewhere = Peer("Archive", "PACS", "192.0.2.1", 104)
    with listening(callers=(elsewhere,)) as listener:
        result = subprocess.run(
            ["echoscu", "-aet", "PACS", "-aec", KIOSK, "127.0.0.1", str(listener.port)], capture_output=True, timeout=30
        )
        assert result.returncode


def test_a_configured_caller_may_ask_whether_we_are_there_and_nothing_else(tmp_path: Path) -> None:
    caller = local_peer("Archive", "PACS", 104)
    with listening(callers=(caller,)) as listener:
        base = ["-aet", "PACS", "-aec", KIOSK, "127.0.0.1", str(listener.port)]
        assert subprocess.run(["echoscu", *base], timeout=30, check=False).returncode == 0
        wrong = ["-aet", "PACS", "-aec", "WRONG", "127.0.0.1", str(listener.port)]
        said = subprocess.run(["echoscu", *wrong], capture_output=True, text=True, timeout=30, check=False)
        assert "Called AE Title Not Recognized" in said.stdout + said.stderr
        other = ["-aet", "OTHER", "-aec", KIOSK, "127.0.0.1", str(listener.port)]
        said = subprocess.run(["echoscu", *other], capture_output=True, text=True, timeout=30, check=False)
        assert "Calling AE Title Not Recognized" in said.stdout + said.stderr
        file = tmp_path / "one.dcm"
        ct_instance().save_as(file, enforce_file_format=True)
        said = subprocess.run(["storescu", *base, str(file)], capture_output=True, text=True, timeout=30, check=False)
        assert "No Acceptable Presentation Contexts" in said.stdout + said.stderr
        ours = Peer("Kiosk", KIOSK, "127.0.0.1", listener.port, "PACS", timeout=5)
        assert echo(ours, Event()).seconds < 5


def test_other_requests_are_answered_by_name() -> None:
    caller = local_peer("Archive", "PACS", 104)
    with listening(callers=(caller,)) as listener:
        entity = AE(ae_title="PACS")
        entity.add_requested_context(VERIFICATION)
        association = entity.associate("127.0.0.1", listener.port, ae_title=KIOSK)
        assert association.is_established
        context = association.accepted_contexts[0]
        context._abstract_syntax = STUDY_ROOT_MOVE  # what a requestor would check for us
        query = Dataset()
        query.QueryRetrieveLevel = "STUDY"
        ((status, _),) = list(association.send_c_move(query, "X", STUDY_ROOT_MOVE))
        assert status.Status == 0x0211
        assert "asked for" in status.ErrorComment
        association.release()


def test_more_callers_than_are_served_are_told_so() -> None:
    caller = local_peer("Archive", "PACS", 104)
    with listening(callers=(caller,), most_associations=1) as listener:
        entity = AE(ae_title="PACS")
        entity.add_requested_context(VERIFICATION)
        first = entity.associate("127.0.0.1", listener.port, ae_title=KIOSK)
        assert first.is_established
        ours = Peer("Kiosk", KIOSK, "127.0.0.1", listener.port, "PACS", timeout=5)
        with pytest.raises(PeerRefused, match="too many associations"):
            echo(ours, Event())
        first.release()


@pytest.mark.parametrize(
    "words",
    [b"", b"\x01\x00\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", bytes(10)],
    ids=["nothing", "4 GB", "HTTP", "TLS", "zeros"],
)
def test_a_caller_that_talks_nonsense_is_hung_up_on(words: bytes) -> None:
    with listening(callers=(local_peer("Archive", "PACS", 104),)) as listener:
        with socket.create_connection(("127.0.0.1", listener.port), timeout=30) as connection:
            connection.sendall(words)
            if not words:
                connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(100):
                    pass
            except ConnectionResetError:
                pass
        ours = Peer("Kiosk", KIOSK, "127.0.0.1", listener.port, "PACS", timeout=5)
        assert echo(ours, Event()).seconds < 5


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ImagingError, match=f"port {port}: it is in use"):
            Listener(Receiving(KIOSK, port, "127.0.0.1")).open()
