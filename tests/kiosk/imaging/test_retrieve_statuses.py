"""Final statuses of C-GET, C-MOVE and C-FIND with their counts and failed lists, from a peer that says just that."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from kiosk.errors import PeerBusy, PeerRefused
from kiosk.imaging.calls import Relayed, Retrieved
from kiosk.imaging.network.commands import Command, CommandField, store_request
from kiosk.imaging.network.find import find_instances
from kiosk.imaging.network.relay import relay
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.kiosk.imaging.hostile import accept_association, message, raw_peer, read_message, response
from tests.peers import ct_series, drain

CT = "1.2.840.10008.5.1.4.1.1.2"
ALL_GONE = (0, 3, 0, 0)
FAILED = "2.25.1\\2.25.2"
Answer = Callable[[Any, int, Command], None]


@contextmanager
def answering(answer: Answer) -> Iterator[Peer]:
    """A peer that grants everything and gives every request to `answer`."""

    def serve(connection: Any) -> None:
        accept_association(connection)
        while True:
            context, command, _ = read_message(connection)
            answer(connection, context, command)

    with raw_peer(serve, timeout=20) as peer:
        yield peer


def moved(status: int, counts: tuple[int, ...], failed: str | None = None) -> Answer:
    """One pending response, then the final one."""

    def answer(connection: Any, context: int, command: Command) -> None:
        pending = response(CommandField.C_MOVE_RSP, command, 0xFF00, counts=(3, 0, 0, 0))
        data = None if failed is None else uid_list(failed)
        final = response(CommandField.C_MOVE_RSP, command, status, has_data=data is not None, counts=counts)
        connection.sendall(message(context, pending) + message(context, final, data))

    return answer


def uid_list(value: str) -> bytes:
    """Failed SOP Instance UID List (0008,0058) in explicit VR."""
    raw = value.encode("latin-1")
    raw += b"\0" * (len(raw) % 2)
    return b"\x08\x00\x58\x00UI" + len(raw).to_bytes(2, "little") + raw


def relayed(answer: Answer) -> Relayed:
    with answering(answer) as peer:
        _, result = drain(relay(peer, "THERE", "1.2", "1.2.3", (), Event()))
    assert isinstance(result, Relayed)
    return result


@pytest.mark.parametrize(
    ("status", "counts", "failed", "expected"),
    [
        (0x0000, ALL_GONE, None, Relayed(3)),
        (0x0000, (), None, Relayed(0)),
        (0x0000, (0, 1, 0, 2), None, Relayed(3)),
        (0x0000, (0, 2, 1, 0), None, Relayed(2, (), "1 could not be sent")),
        (0xB000, (0, 1, 2, 0), FAILED, Relayed(1, ("2.25.1", "2.25.2"), "not everything could be sent (B000)")),
        (0xB000, (0, 1, 2, 0), None, Relayed(1, (), "not everything could be sent (B000)")),
        (0xB000, (0, 1, 2, 0), "2.25.1\\rm\\1.2-3\\", Relayed(1, ("2.25.1",), "not everything could be sent (B000)")),
        (0xA702, (0, 1, 2, 0), FAILED, Relayed(1, ("2.25.1", "2.25.2"), "out of resources, it cannot send (A702)")),
        (0xFE00, (2, 1, 0, 0), FAILED, Relayed(1, ("2.25.1", "2.25.2"), "cancelled (FE00)")),
        (0xC123, (0, 1, 2, 0), FAILED, Relayed(1, ("2.25.1", "2.25.2"), "cannot understand (C123)")),
    ],
    ids=["all", "no counts", "warned", "miscounted", "B000", "B000 no list", "B000 odd list", "A702", "FE00", "C123"],
)
def test_what_an_archive_says_of_what_it_sent_to_a_third(
    status: int, counts: tuple[int, ...], failed: str | None, expected: Relayed
) -> None:
    assert relayed(moved(status, counts, failed)) == expected


@pytest.mark.parametrize(
    "data", [b"\x08\x00", b"\xff" * 64, b"\x08\x00\x58\x00UI\xff\xff1.2"], ids=["cut", "noise", "long"]
)
def test_a_spoiled_list_of_what_failed_names_nothing(data: bytes) -> None:
    def answer(connection: Any, context: int, command: Command) -> None:
        final = response(CommandField.C_MOVE_RSP, command, 0xB000, has_data=True, counts=(0, 2, 1, 0))
        connection.sendall(message(context, final, data))

    assert relayed(answer) == Relayed(2, (), "not everything could be sent (B000)")


REFUSALS = [
    (0xA700, PeerBusy, "out of resources (A700)"),
    (0xA701, PeerBusy, "out of resources, it cannot count the matches (A701)"),
    (0xA702, PeerBusy, "out of resources, it cannot send (A702)"),
    (0x0213, PeerBusy, "resource limitation (0213)"),
    (0xA801, PeerRefused, "move destination unknown (A801)"),
    (0xA900, PeerRefused, "identifier does not match SOP class (A900)"),
    (0xC000, PeerRefused, "cannot understand (C000)"),
    (0xCFFF, PeerRefused, "cannot understand (CFFF)"),
    (0x0122, PeerRefused, "SOP class not supported (0122)"),
    (0x0124, PeerRefused, "not authorised (0124)"),
    (0x0210, PeerRefused, "duplicate invocation (0210)"),
    (0x0211, PeerRefused, "unrecognised operation (0211)"),
    (0x0212, PeerRefused, "mistyped argument (0212)"),
    (0xFE00, PeerRefused, "cancelled (FE00)"),
    (0x1234, PeerRefused, "unknown status (1234)"),
]


@pytest.mark.parametrize(("status", "kind", "words"), REFUSALS, ids=[f"{status:04X}" for status, _, _ in REFUSALS])
def test_a_refusal_is_said_in_words_for_every_service_and_what_passes_by_itself_is_told_apart(
    status: int, kind: type[Exception], words: str, tmp_path: Path
) -> None:
    spool = Spool(tmp_path, reserve=0)

    def refuse(connection: Any, context: int, command: Command) -> None:
        field, counts = command.field | 0x8000, (0, 0, 3, 0) if command.field != CommandField.C_FIND_RQ else ()
        connection.sendall(message(context, response(field, command, status, counts=counts)))

    def refuse_to_send(connection: Any, context: int, command: Command) -> None:
        (lists if command.field == CommandField.C_FIND_RQ else refuse)(connection, context, command)

    def lists(connection: Any, context: int, command: Command) -> None:
        connection.sendall(listing(context, command, ct_series(1)))

    calls: list[tuple[Answer, Callable[[Peer], Any]]] = [
        (refuse, lambda peer: find_instances(peer, "1.2", "1.2.3", Event())),
        (refuse_to_send, lambda peer: retrieve(peer, "1.2", "1.2.3", (), spool, Event())),
        (refuse, lambda peer: relay(peer, "THERE", "1.2", "1.2.3", (), Event())),
    ]
    for answer, call in calls:
        with answering(answer) as peer, pytest.raises(PeerRefused) as caught:
            drain(call(peer))
        assert type(caught.value) is kind
        assert words in str(caught.value)
    assert spool.names() == ()


def listing(context: int, command: Command, instances: list[Dataset]) -> bytes:
    """Pending responses that name the instances, and the end."""
    sent = b""
    for instance in instances:
        found = Dataset()
        found.SOPClassUID, found.SOPInstanceUID = instance.SOPClassUID, instance.SOPInstanceUID
        data = encode(found, is_implicit_vr=False, is_little_endian=True)
        sent += message(context, response(CommandField.C_FIND_RSP, command, 0xFF00, has_data=True), data)
    return sent + message(context, response(CommandField.C_FIND_RSP, command, 0))


@pytest.mark.parametrize(
    ("status", "counts", "reason"),
    [
        (0x0000, (0, 2, 0, 0), "the archive sent no more"),
        (0x0000, (0, 3, 0, 0), "the archive sent no more"),
        (0xB000, (0, 2, 1, 0), "not everything could be sent (B000)"),
        (0xB000, (0, 0, 1, 2), "not everything could be sent (B000)"),
        (0xA702, (0, 2, 1, 0), "out of resources, it cannot send (A702)"),
        (0xFE00, (1, 2, 0, 0), "cancelled (FE00)"),
        (0xC000, (0, 65535, 65535, 65535), "cannot understand (C000)"),
    ],
    ids=["success", "lie", "B000", "warned", "A702", "FE00", "C000"],
)
def test_what_came_by_c_get_is_counted_here_whatever_the_archive_counts(
    status: int, counts: tuple[int, ...], reason: str, tmp_path: Path
) -> None:
    instances = ct_series(3)
    study, series = str(instances[0].StudyInstanceUID), str(instances[0].SeriesInstanceUID)

    def answer(connection: Any, context: int, command: Command) -> None:
        if command.field == CommandField.C_FIND_RQ:
            connection.sendall(listing(context, command, instances))
            return
        for number, instance in enumerate(instances[:2], 1):
            data = encode(instance, is_implicit_vr=False, is_little_endian=True)
            connection.sendall(message(3, store_request(number, CT, str(instance.SOPInstanceUID)), data))
            read_message(connection)
        connection.sendall(message(context, response(CommandField.C_GET_RSP, command, status, counts=counts)))

    spool = Spool(tmp_path, reserve=0)
    with answering(answer) as peer:
        received, result = drain(retrieve(peer, study, series, (), spool, Event()))
    assert len(received) == len(spool.names()) == 2
    assert result == Retrieved(2, 1, reason)


def test_a_list_of_what_failed_may_stand_in_the_command_set_as_orthanc_writes_it(tmp_path: Path) -> None:
    instances = ct_series(2)
    strange = struct.pack("<HHI", 0x0008, 0x0058, 12) + b"1.2.3\\1.2.4\0"

    def answer(connection: Any, context: int, command: Command) -> None:
        if command.field == CommandField.C_FIND_RQ:
            connection.sendall(listing(context, command, instances))
            return
        pending = response(CommandField.C_GET_RSP, command, 0xFF00, counts=(1, 0, 1, 0)) + strange
        connection.sendall(message(context, pending))
        data = encode(instances[1], is_implicit_vr=False, is_little_endian=True)
        connection.sendall(message(3, store_request(1, CT, str(instances[1].SOPInstanceUID)), data))
        read_message(connection)
        final = response(CommandField.C_GET_RSP, command, 0xB000, counts=(0, 1, 1, 0)) + strange
        connection.sendall(message(context, final))

    study, series = str(instances[0].StudyInstanceUID), str(instances[0].SeriesInstanceUID)
    with answering(answer) as peer:
        _, result = drain(retrieve(peer, study, series, (), Spool(tmp_path, reserve=0), Event()))
    assert result == Retrieved(1, 1, "not everything could be sent (B000)")


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0x0001], ids=["success", "warning", "optional"])
def test_a_query_ends_with_success_or_a_warning(status: int) -> None:
    instances = ct_series(3)

    def answer(connection: Any, context: int, command: Command) -> None:
        sent = listing(context, command, instances)
        end = message(context, response(CommandField.C_FIND_RSP, command, 0))
        connection.sendall(sent[: -len(end)] + message(context, response(CommandField.C_FIND_RSP, command, status)))

    with answering(answer) as peer:
        found, _ = drain(find_instances(peer, "1.2", "1.2.3", Event()))
    assert [one.sop_instance_uid for one in found] == [one.SOPInstanceUID for one in instances]  # type: ignore[attr-defined] # instances


def test_a_list_that_an_archive_cuts_short_by_itself_is_not_taken_for_a_whole_one() -> None:
    """Else a push would leave out what is not on it, and nobody would know."""

    def answer(connection: Any, context: int, command: Command) -> None:
        sent = listing(context, command, ct_series(2))
        end = message(context, response(CommandField.C_FIND_RSP, command, 0))
        connection.sendall(sent[: -len(end)] + message(context, response(CommandField.C_FIND_RSP, command, 0xFE00)))

    with answering(answer) as peer, pytest.raises(PeerRefused, match=r"cancelled \(FE00\)"):
        drain(find_instances(peer, "1.2", "1.2.3", Event()))
