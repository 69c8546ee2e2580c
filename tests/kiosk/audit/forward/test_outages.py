"""Receivers die, hang and come back, for minutes or for days: nothing is lost, and what comes twice bears its mark."""

import logging
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kiosk.audit.forward.authority import Authority
from tests.kiosk.audit.forward.kit import (
    append,
    appending,
    await_arrival,
    await_fault,
    await_settled,
    delivering,
    expected,
    new_trail,
    sink_to,
    status,
)
from tests.kiosk.audit.forward.receivers import RECEIVERS, Receiver, Rsyslog, await_that

log = logging.getLogger(__name__)

SHORT = 500
LONG = 10_000
OUTAGE = 600
DAYS_OF_OUTAGE = 5_000


def _through_outages(receiver: Receiver, authority: Authority, folder: Path, count: int, deaths: int) -> None:
    chance = random.Random(4711)
    death = 0
    with (
        new_trail(folder) as trail,
        receiver,
        delivering(sink_to(receiver, authority, 2.0), trail.path, folder) as forwarder,
    ):
        writer = appending(trail, count)
        while death < deaths or writer.is_alive():
            death += 1
            time.sleep(chance.uniform(0.05, 0.6))
            if death % 4 == 1:
                receiver.stop()
            else:
                if death % 4 == 2:
                    receiver.freeze()
                    time.sleep(chance.uniform(0, 0.4))
                receiver.kill()
            time.sleep(chance.uniform(0, 0.2))
            receiver.start()
        marks = await_arrival(receiver, trail.path, 60 + count / 20)
        await_settled(forwarder, trail.path)
        assert status(forwarder).waiting == 0
    log.info("%d messages, %d deaths, %d came twice", len(set(marks)), death, len(marks) - len(set(marks)))


@pytest.mark.parametrize(("make", "kind"), RECEIVERS)
def test_a_receiver_that_is_killed_again_and_again_gets_everything(
    make: type[Receiver], kind: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    _through_outages(make(tmp_path, authority, kind), authority, tmp_path, SHORT, deaths=3)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("make", "kind"), RECEIVERS)
def test_ten_thousand_messages_survive_many_deaths(make: type[Receiver], kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    _through_outages(make(tmp_path, authority, kind), authority, tmp_path, LONG, deaths=40)


def test_what_a_dying_receiver_had_read_and_not_written_is_sent_again(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with new_trail(tmp_path) as trail, Rsyslog(tmp_path, authority, "tls") as receiver:
        append(trail, 3)
        with delivering(sink_to(receiver, authority, 30.0), trail.path, tmp_path) as forwarder:
            await_arrival(receiver, trail.path)
            receiver.kill()
            receiver.lose()
            receiver.start()
            await_arrival(receiver, trail.path)
            assert status(forwarder).settled == 0


@pytest.mark.parametrize("kind", ["tls", "relp"])
def test_a_receiver_that_hangs_is_noticed_and_nothing_counts_as_delivered(kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with new_trail(tmp_path) as trail, Rsyslog(tmp_path, authority, kind) as receiver:
        append(trail, 5)
        sink = replace(sink_to(receiver, authority, 0.2), timeout=2.0)
        with delivering(sink, trail.path, tmp_path) as forwarder:
            await_arrival(receiver, trail.path)
            await_settled(forwarder, trail.path)
            receiver.freeze()
            append(trail, 20)
            sentence = await_fault(forwarder, lambda fault: fault.startswith("Audit sink ARR: "))
            assert "did not answer within 2 s" in sentence or "does not acknowledge" in sentence
            assert status(forwarder).settled == 5
            assert status(forwarder).waiting == 20
            assert status(forwarder).oldest is not None
            receiver.kill()
            receiver.start()
            await_arrival(receiver, trail.path)
            await_that(lambda: status(forwarder).fault == "", "the fault is forgiven")


def _through_an_outage(receiver: Receiver, authority: Authority, folder: Path, count: int) -> None:
    with new_trail(folder) as trail:
        with delivering(sink_to(receiver, authority), trail.path, folder) as forwarder:
            append(trail, count)
            await_fault(forwarder, lambda fault: "nobody listens at 127.0.0.1:" in fault)
            assert status(forwarder).waiting == count
            assert not status(forwarder).refused
            assert not receiver.output.exists()
        with receiver, delivering(sink_to(receiver, authority), trail.path, folder) as forwarder:
            assert await_arrival(receiver, trail.path, 60 + count / 20) == expected(trail.path)
            await_settled(forwarder, trail.path)


def test_an_outage_loses_nothing_and_keeps_no_append_waiting(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    _through_an_outage(Rsyslog(tmp_path, authority, "tls"), authority, tmp_path, OUTAGE)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("make", "kind"), RECEIVERS)
def test_days_of_outage_lose_nothing(make: type[Receiver], kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    _through_an_outage(make(tmp_path, authority, kind), authority, tmp_path, DAYS_OF_OUTAGE)
