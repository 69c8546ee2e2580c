"""The network goes away under a delivery, in a namespace of its own, and comes back."""

import time
from pathlib import Path

import pytest

from kiosk.audit import ReadOnlyTrail, Trail
from kiosk.audit.forward import Sink, SinkStatus, sink_statuses
from tests.kiosk.audit.forward.authority import Authority
from tests.kiosk.audit.forward.deliver import process_delivering
from tests.kiosk.audit.forward.kit import append, await_arrival, new_trail, sink_to
from tests.kiosk.audit.forward.namespace import namespace
from tests.kiosk.audit.forward.receivers import Rsyslog, await_that


def _standing(sink: Sink, trail: Trail, folder: Path) -> SinkStatus:
    with ReadOnlyTrail(trail.path) as reader:
        return sink_statuses([sink], folder / "cursors", reader)[0]


@pytest.mark.parametrize("kind", ["tls", "relp"])
def test_a_network_that_is_cut_for_long_or_short_loses_nothing(kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with new_trail(tmp_path) as trail, namespace() as net:
        receiver = Rsyslog(tmp_path, authority, kind, net.enter)
        sink = sink_to(receiver, authority)
        append(trail, 40)
        with receiver, process_delivering(receiver, authority, trail.path, tmp_path, net.enter):
            await_arrival(receiver, trail.path)
            net.cut()
            append(trail, 40)
            time.sleep(0.3)  # shorter than TCP gives up
            net.mend()
            await_arrival(receiver, trail.path)
            append(trail, 20)
            net.cut()
            append(trail, 40)
            await_that(lambda: _standing(sink, trail, tmp_path).fault != "", "the cut is noticed")
            assert _standing(sink, trail, tmp_path).waiting >= 40
            net.mend()
            await_arrival(receiver, trail.path)
            net.cut()
            append(trail, 20)
            receiver.kill()
            net.mend()
            receiver.start()
            await_arrival(receiver, trail.path)
