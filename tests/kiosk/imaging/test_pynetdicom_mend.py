"""Each mend of pynetdicom, shown by what happens without it."""

import subprocess
import sys

import pytest

# A response arrives while the reactor is awake, as happens when `send_*` takes it for paused a moment too early.
LOST_RESPONSE = """
import sys, time
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_ECHO
if sys.argv[1] == "mended":
    from kiosk.imaging.network.pynetdicom_mend import mend
    mend()
server_entity = AE()
server_entity.add_supported_context("1.2.840.10008.1.1")
server = server_entity.start_server(("127.0.0.1", 0), block=False)
entity = AE()
entity.dimse_timeout = 1
entity.add_requested_context("1.2.840.10008.1.1")
association = entity.associate("127.0.0.1", server.socket.getsockname()[1])
request = C_ECHO()
request.MessageID = 1
request.AffectedSOPClassUID = "1.2.840.10008.1.1"
association.dimse.send_msg(request, 1)
time.sleep(0.5)
association._reactor_checkpoint.clear()
_, response = association.dimse.get_msg(block=True)
print("lost" if response is None else f"status {response.Status}")
association._reactor_checkpoint.set()
association.abort()
server.shutdown()
"""

FOUR_GIGABYTES = """
import socket, sys, threading, time
from pynetdicom import AE
from pynetdicom import transport
if sys.argv[1] == "mended":
    from kiosk.imaging.network.pynetdicom_mend import mend
    mend()
entity = AE()
entity.add_supported_context("1.2.840.10008.1.1")
server = entity.start_server(("127.0.0.1", 0), block=False)
with socket.create_connection(("127.0.0.1", server.socket.getsockname()[1])) as client:
    client.sendall(bytes((1, 0, 0xFF, 0xFF, 0xFF, 0xFF)))
    client.settimeout(2)
    try:
        for _ in range(400):
            client.sendall(bytes(65536))
            time.sleep(0.0005)
        print("believed")
    except OSError:
        print("hung up")
server.shutdown()
"""


def run(script: str, mended: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, mended], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(("mended", "outcome"), [("mended", "status 0"), ("as shipped", "lost")])
def test_a_response_is_left_for_whoever_waits_for_it(mended: str, outcome: str) -> None:
    assert run(LOST_RESPONSE, mended) == outcome


@pytest.mark.parametrize(("mended", "outcome"), [("mended", "hung up"), ("as shipped", "believed")])
def test_a_pdu_of_four_gigabytes_is_not_believed(mended: str, outcome: str) -> None:
    assert run(FOUR_GIGABYTES, mended) == outcome
