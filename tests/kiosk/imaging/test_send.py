"""C-STORE to storescp, dcmqrscp and Orthanc, and to servers that say no in every way."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, Thread, Timer
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from pynetdicom import AllStoragePresentationContexts

from kiosk.errors import Cancelled, PeerUnreachable
from kiosk.imaging.calls import SendState, Sent, SentInstance, ToSend
from kiosk.imaging.network import status
from kiosk.imaging.network.filemeta import encode_file_meta, read_file_meta
from kiosk.imaging.network.send import batches, send
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.kiosk.imaging.hostile import (
    accept_association,
    dimse_peer,
    evt,
    message,
    raw_peer,
    read_message,
    response,
)
from tests.peers import (
    Server,
    ct_instance,
    ct_series,
    drain,
    free_port,
    local_peer,
    run_storescp,
    spool_instance,
    spool_instances,
)

AT_ONCE = 10.0
"""Seconds on a machine that is busy elsewhere; the peers' own timeouts are three times that."""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


def push(peer: Peer, files: tuple[ToSend, ...], spool: Spool) -> tuple[list[SentInstance], Sent]:
    items, result = drain(send(peer, files, spool, Event()))
    assert isinstance(result, Sent)
    return [item for item in items if isinstance(item, SentInstance)], result


def data_set(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(read_file_meta(file).data_set)
        return file.read()


def test_the_bytes_of_a_file_arrive_unchanged(storescp: Server, spool: Spool) -> None:
    plain = ct_instance(PatientID="S-plain", PatientName="Größe^Änne", SpecificCharacterSet="ISO_IR 100")
    compressed = ct_instance(PatientID="S-j2k")
    compressed.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    large = ct_instance(PatientID="S-large", Rows=1024, Columns=1024, PixelData=bytes(range(256)) * 8192)
    files = spool_instances(spool, [plain, compressed, large])
    answers, result = push(storescp.peer, files, spool)
    assert result == Sent(3, 0)
    assert [answer.state for answer in answers] == [SendState.STORED] * 3
    stored = {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID: path for path in storescp.stored_files()}
    for file in files:
        assert data_set(stored[file.sop_instance_uid]) == data_set(spool.path(file.file))


@pytest.mark.parametrize("name", ["orthanc", "dcmqrscp"])
def test_a_series_is_stored(name: str, request: pytest.FixtureRequest, spool: Spool) -> None:
    server: Server = request.getfixturevalue(name)
    assert push(server.peer, spool_instances(spool, ct_series(20, PatientID="S-series")), spool)[1] == Sent(20, 0)


def test_four_associations_at_once_lose_no_response(orthanc: Server, spool: Spool) -> None:
    # Not dcmqrscp: its processes trip over each other's index and answer C000 now and then, to storescu too.
    batches_of = [spool_instances(spool, ct_series(60, PatientID="S-parallel")) for _ in range(4)]
    results: list[Sent] = []

    def work(files: tuple[ToSend, ...]) -> None:
        results.append(push(orthanc.peer, files, spool)[1])

    threads = [Thread(target=work, args=(files,)) for files in batches_of]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [Sent(60, 0)] * 4


@pytest.mark.parametrize(
    ("code", "state", "words"),
    [
        (0x0000, SendState.STORED, ""),
        (0xB000, SendState.STORED_WITH_WARNING, "coercion of data elements (B000)"),
        (0xB006, SendState.STORED_WITH_WARNING, "elements discarded (B006)"),
        (0xB007, SendState.STORED_WITH_WARNING, "does not match SOP class (B007)"),
        (0xA700, SendState.RETRY_LATER, "out of resources (A700)"),
        (0xA7FF, SendState.RETRY_LATER, "out of resources (A7FF)"),
        (0xA900, SendState.FAILED, "does not match SOP class (A900)"),
        (0xC000, SendState.FAILED, "cannot understand (C000)"),
        (0xC123, SendState.FAILED, "cannot understand (C123)"),
        (0x0117, SendState.FAILED, "invalid SOP instance (0117)"),
        (0x0122, SendState.FAILED, "SOP class not supported (0122)"),
        (0x0124, SendState.FAILED, "not authorised (0124)"),
        (0x0210, SendState.FAILED, "duplicate invocation (0210)"),
        (0x1234, SendState.FAILED, "unknown status (1234)"),
    ],
)
def test_every_status_becomes_a_state_and_words(code: int, state: SendState, words: str, spool: Spool) -> None:
    with dimse_peer([(evt.EVT_C_STORE, lambda event: code)]) as peer:
        (answer,), result = push(peer, (spool_instance(spool, ct_instance()),), spool)
    assert answer.state is state
    assert words in answer.reason
    assert result == (Sent(1, 0) if state in (SendState.STORED, SendState.STORED_WITH_WARNING) else Sent(0, 1))


def test_only_what_passes_by_itself_is_tried_again_and_only_a_warning_counts_as_stored() -> None:
    """PS3.4 B.2.3, table B.2-1, and the general failures of PS3.7 C.5 over every status that there is."""
    states: dict[SendState, set[int]] = {state: set() for state in SendState}
    for code in range(0x10000):
        state, words = status.store_state(code, "")
        states[state].add(code)
        assert bool(words) is bool(code)
    assert states[SendState.STORED] == {0x0000}
    assert states[SendState.STORED_WITH_WARNING] == {0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000)}
    assert states[SendState.RETRY_LATER] == {0x0213, *range(0xA700, 0xA800)}
    assert not states[SendState.ANOTHER_SYNTAX] | states[SendState.UNANSWERED]
    assert {0x0110, 0x0117, 0x0122, 0x0124, *range(0xA900, 0xAA00), *range(0xC000, 0xD000)} <= states[SendState.FAILED]


def test_the_peers_own_comment_is_shown_without_its_escape_bytes(spool: Spool) -> None:
    def refuse(event: Any) -> Dataset:
        answer = Dataset()
        answer.Status = 0xA900
        answer.ErrorComment = "quota \x1b[2Jexceeded"
        return answer

    with dimse_peer([(evt.EVT_C_STORE, refuse)]) as peer:
        (answer,), _ = push(peer, (spool_instance(spool, ct_instance()),), spool)
    assert answer.reason.endswith("quota exceeded")
    assert answer.reason.isprintable()


def test_one_failure_does_not_stop_the_rest(spool: Spool) -> None:
    statuses = iter((0x0000, 0xC000, 0x0000))
    with dimse_peer([(evt.EVT_C_STORE, lambda event: next(statuses))]) as peer:
        answers, result = push(peer, spool_instances(spool, ct_series(3)), spool)
    assert [answer.state for answer in answers] == [SendState.STORED, SendState.FAILED, SendState.STORED]
    assert result == Sent(2, 1)


def test_a_syntax_the_peer_does_not_take_is_named_with_one_that_it_takes(spool: Spool) -> None:
    compressed = ct_instance()
    compressed.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    files = spool_instances(spool, [compressed, ct_instance()])
    with run_storescp("+B") as server:
        answers, result = push(server.peer, files, spool)
        assert result == Sent(1, 1)
        assert [answer.state for answer in answers] == [SendState.STORED, SendState.ANOTHER_SYNTAX]
        assert "does not take CT Image in JPEG 2000 Lossless" in answers[1].reason
        assert answers[1].transfer_syntax_uid == ExplicitVRLittleEndian
        answers, result = push(server.peer, files[:1], spool)
        assert [answer.state for answer in answers] == [SendState.ANOTHER_SYNTAX]
    assert [path.name for path in server.stored_files()] == []


def test_a_class_the_peer_does_not_take_at_all_fails_for_good(spool: Spool) -> None:
    with run_storescp("+B") as server:
        answers, result = push(server.peer, (spooled(spool, generate_uid(), ExplicitVRLittleEndian),), spool)
    assert result == Sent(0, 1)
    assert answers[0].state is SendState.FAILED


def test_more_than_128_contexts_go_over_several_associations(spool: Spool) -> None:
    classes = [str(context.abstract_syntax) for context in AllStoragePresentationContexts[:70]]
    files = tuple(
        spooled(spool, sop_class, syntax)
        for sop_class in classes
        for syntax in (JPEG2000Lossless, ExplicitVRLittleEndian)
    )
    assert [len(batch) for batch in batches(files)] == [128, 12]
    proposed: list[int] = []

    def count(event: Any) -> None:
        proposed.append(len(event.assoc.requestor.primitive.presentation_context_definition_list))

    with dimse_peer([(evt.EVT_C_STORE, lambda event: 0), (evt.EVT_REQUESTED, count)]) as peer:
        answers, result = push(peer, files, spool)
    assert result == Sent(140, 0)
    assert proposed == [128, 12]
    assert [answer.sop_instance_uid for answer in answers] == [file.sop_instance_uid for file in files]


def spooled(spool: Spool, sop_class_uid: str, transfer_syntax_uid: str) -> ToSend:
    """A file whose data set nobody looks into."""
    sop_instance_uid = generate_uid()
    with spool.create() as file:
        file.write(encode_file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid, "TEST") + bytes(64))
        return ToSend(sop_instance_uid, sop_class_uid, transfer_syntax_uid, file.commit(), file.size)


def abort_at(*numbers: int) -> Callable[[Any], int]:
    taken = iter(range(1000))

    def store(event: Any) -> int:
        if next(taken) in numbers:
            event.assoc.abort()
        return 0

    return store


def test_an_association_that_breaks_off_is_opened_anew_for_the_rest(spool: Spool) -> None:
    files = spool_instances(spool, ct_series(6))
    with dimse_peer([(evt.EVT_C_STORE, abort_at(2))]) as peer:
        answers, result = push(peer, files, spool)
    stored, unknown = SendState.STORED, SendState.UNANSWERED
    assert [answer.state for answer in answers] == [stored, stored, unknown, stored, stored, stored]
    assert [answer.sop_instance_uid for answer in answers] == [file.sop_instance_uid for file in files]
    assert "DIMSE_AE" in answers[2].reason
    assert result == Sent(5, 1)


def test_without_progress_a_push_is_given_up_and_says_why(spool: Spool) -> None:
    files = spool_instances(spool, ct_series(6))
    with dimse_peer([(evt.EVT_C_STORE, abort_at(2, 3))]) as peer:
        answers, result = push(peer, files, spool)
    assert [answer.sop_instance_uid for answer in answers] == [file.sop_instance_uid for file in files[:4]]
    assert (result.stored, result.failed) == (2, 2)
    assert "DIMSE_AE" in result.reason
    assert "aborted" in result.reason or "closed" in result.reason


def test_a_push_uses_as_many_associations_as_the_peer_allows_and_no_more(spool: Spool) -> None:
    files = spool_instances(spool, ct_series(40))
    together = Barrier(3)
    associations: set[int] = set()

    def store(event: Any) -> int:
        if id(event.assoc) not in associations:
            associations.add(id(event.assoc))
            together.wait(30)
        return 0

    with dimse_peer([(evt.EVT_C_STORE, store)], timeout=30) as peer:
        answers, result = push(replace(peer, associations=3), files, spool)
    assert result == Sent(40, 0)
    assert len(associations) == 3
    assert sorted(answer.sop_instance_uid for answer in answers) == sorted(file.sop_instance_uid for file in files)


def test_an_association_that_the_peer_does_not_give_leaves_its_share_to_the_other(spool: Spool) -> None:
    files = spool_instances(spool, ct_series(20))
    with dimse_peer([(evt.EVT_C_STORE, lambda event: 0)], maximum_associations=1) as peer:
        answers, result = push(replace(peer, associations=4), files, spool)
    assert result == Sent(20, 0)
    assert len(answers) == 20


def test_one_of_several_associations_that_breaks_off_costs_one_instance(spool: Spool) -> None:
    files = spool_instances(spool, ct_series(30))
    with dimse_peer([(evt.EVT_C_STORE, abort_at(12))]) as peer:
        answers, result = push(replace(peer, associations=2), files, spool)
    assert result == Sent(29, 1)
    assert [answer.state for answer in answers].count(SendState.UNANSWERED) == 1


def test_cancelling_several_associations_ends_them_at_once(spool: Spool) -> None:
    files = spool_instances(spool, ct_series(4))
    with raw_peer(silent, timeout=30) as peer:
        cancel = Event()
        Timer(0.3, cancel.set).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            drain(send(replace(peer, associations=2), files, spool, cancel))
        assert time.monotonic() - started < AT_ONCE


def silent(connection: Any) -> None:
    accept_association(connection)
    while True:
        read_message(connection)


def not_reading(connection: Any) -> None:
    accept_association(connection)
    Event().wait(30)


def answering_another(connection: Any) -> None:
    accept_association(connection)
    while True:
        context, command, _ = read_message(connection)
        connection.sendall(message(context, response(0x8001, command, 0, responded_to=command.message_id + 1)))


def answering_something_else(connection: Any) -> None:
    accept_association(connection)
    while True:
        context, command, _ = read_message(connection)
        connection.sendall(message(context, response(0x8030, command, 0)))


def announcing_four_gigabytes(connection: Any) -> None:
    accept_association(connection)
    read_message(connection)
    connection.sendall(b"\x04\x00\xff\xff\xff\xff" + bytes(64))
    Event().wait(5)


@pytest.mark.parametrize("behave", [answering_another, answering_something_else, announcing_four_gigabytes])
def test_an_answer_that_is_none_leaves_the_instance_unanswered(behave: Callable[[Any], None], spool: Spool) -> None:
    with raw_peer(behave, timeout=5) as peer:
        answers, result = push(peer, spool_instances(spool, ct_series(3)), spool)
    assert [answer.state for answer in answers] == [SendState.UNANSWERED]
    assert result.stored == 0
    assert "HOSTILE" in result.reason


@pytest.mark.parametrize("behave", [silent, not_reading])
def test_a_peer_that_goes_silent_ends_the_push_with_its_timeout(behave: Callable[[Any], None], spool: Spool) -> None:
    large = ct_instance(Rows=4096, Columns=4096, PixelData=bytes(4096 * 4096 * 2))
    with raw_peer(behave, timeout=2) as peer:
        answers, result = push(peer, (spool_instance(spool, large),), spool)
    assert [answer.state for answer in answers] == [SendState.UNANSWERED]
    assert "did not answer within 2 s" in result.reason


@pytest.mark.parametrize("behave", [silent, not_reading])
def test_cancelling_a_push_ends_it_at_once(behave: Callable[[Any], None], spool: Spool) -> None:
    large = ct_instance(Rows=4096, Columns=4096, PixelData=bytes(4096 * 4096 * 2))
    file = spool_instance(spool, large)
    with raw_peer(behave, timeout=30) as peer:
        cancel = Event()
        Timer(0.3, cancel.set).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            drain(send(peer, (file,), spool, cancel))
        assert time.monotonic() - started < AT_ONCE


def test_no_association_at_all_is_an_error(spool: Spool) -> None:
    files = (spool_instance(spool, ct_instance()),)
    with pytest.raises(PeerUnreachable, match=r"NOWHERE"):
        push(local_peer("Nowhere", "NOWHERE", free_port()), files, spool)


def test_a_file_that_is_not_what_the_outbox_says_is_not_sent(storescp: Server, spool: Spool) -> None:
    file = spool_instance(spool, ct_instance())
    gone = replace(file, file="0" * 32)
    other = replace(file, sop_instance_uid=generate_uid())
    escaping = replace(file, file="../../etc/passwd")
    answers, result = push(storescp.peer, (gone, other, escaping), spool)
    assert {answer.state for answer in answers} == {SendState.FAILED}
    assert result == Sent(0, 3)
