"""The network goes away under a delivery, in a namespace of its own, and comes back."""

import logging
import random
import time
from pathlib import Path

import pytest

from kiosk.audit import ReadOnlyTrail, Trail
from kiosk.audit.forward import Sink, SinkStatus, sink_statuses
from tests.kiosk.audit.forward.authority import Authority
from tests.kiosk.audit.forward.deliver import process_delivering
from tests.kiosk.audit.forward.kit import append, appending, await_arrival, new_trail, sink_to
from tests.kiosk.audit.forward.namespace import namespace
from tests.kiosk.audit.forward.receivers import RECEIVERS, Receiver, Rsyslog, await_that

log = logging.getLogger(__name__)

LONG = 10_000
CUTS = 30


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


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("make", "kind"), RECEIVERS)
def test_ten_thousand_messages_survive_many_cuts(make: type[Receiver], kind: str, tmp_path: Path) -> None:
    chance = random.Random(4711)
    authority = Authority(tmp_path)
    cut = 0
    with new_trail(tmp_path) as trail, namespace() as net:
        receiver = make(tmp_path, authority, kind, net.enter)
        sink = sink_to(receiver, authority)
        with receiver, process_delivering(receiver, authority, trail.path, tmp_path, net.enter) as process:
            writer = appending(trail, LONG)
            while cut < CUTS or writer.is_alive():
                cut += 1
                time.sleep(chance.uniform(0.05, 1.0))
                net.cut()
                time.sleep(chance.uniform(0, 0.5) if cut % 3 else chance.uniform(2.0, 4.0))  # TCP gives up after 2 s
                is_killed = cut % 5 == 0
                if is_killed:
                    receiver.kill()
                net.mend()
                if is_killed:
                    receiver.start()
            marks = await_arrival(receiver, trail.path, 60 + LONG / 20)
            end = trail.head().sequence
            await_that(lambda: _standing(sink, trail, tmp_path).settled == end, "the cursor stands at the end")
            assert process.poll() is None
    log.info("%d messages, %d cuts, %d came twice", len(set(marks)), cut, len(marks) - len(set(marks)))
