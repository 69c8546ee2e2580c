"""Debian's own receivers get everything, once, whole and in order, while they stay up."""

from pathlib import Path

import pytest

from tests.kiosk.audit.forward.authority import Authority
from tests.kiosk.audit.forward.kit import (
    append,
    await_arrival,
    await_settled,
    delivering,
    expected,
    new_trail,
    seal,
    sink_to,
    status,
)
from tests.kiosk.audit.forward.receivers import RECEIVERS, Receiver, Rsyslog


@pytest.mark.parametrize(("make", "kind"), [*RECEIVERS, pytest.param(Rsyslog, "tcp", id="rsyslog-tcp")])
def test_everything_arrives_once_whole_and_in_order(make: type[Receiver], kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with new_trail(tmp_path) as trail, make(tmp_path, authority, kind) as receiver:
        append(trail, 120)
        seal(trail)
        with delivering(sink_to(receiver, authority), trail.path, tmp_path) as forwarder:
            append(trail, 30)
            seal(trail)
            assert await_arrival(receiver, trail.path) == expected(trail.path)
            await_settled(forwarder, trail.path)
            assert (status(forwarder).waiting, status(forwarder).fault) == (0, "")
            append(trail, 10)
            assert await_arrival(receiver, trail.path) == expected(trail.path)
        assert max(len(message.xml.encode()) for message in receiver.messages()) > 64 * 1024
