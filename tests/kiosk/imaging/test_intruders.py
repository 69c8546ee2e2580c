"""What comes to where we listen, from those who were not asked or what was not asked for: refused, nothing written.

An order for one instance stands open all the while, so that there is something to steal into.
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_role
from pynetdicom.dimse_primitives import C_FIND, C_STORE, N_EVENT_REPORT
from pynetdicom.dsutils import encode

from kiosk.errors import PeerRefused
from kiosk.imaging.network.commitment import STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
from kiosk.imaging.network.echo import VERIFICATION
from kiosk.imaging.network.keys import STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.network.orders import Order, Wish
from kiosk.imaging.network.pynetdicom_mend import mend
from kiosk.imaging.peers import Peer, Receiving
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import PatientKey
from tests.kiosk.imaging.certificates import Authority, Holder, Site
from tests.kiosk.imaging.hostile import pdu, read_pdu
from tests.peers import ct_instance, free_port, local_peer

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
KIOSK = "KIOSK"
ARCHIVE = local_peer("Archive", "PACS", 104, timeout=20)


@dataclass(frozen=True)
class House:
    """Where we listen, what is wanted, and the folder that must stay as it is."""

    listener: Listener
    order: Order
    wanted: Dataset

    @property
    def files(self) -> list[Path]:
        return list(self.order.spool.folder.iterdir())

    def refusal(self) -> str:
        """The sentence that the retrieval ends with, which is the person's and the record's."""
        with pytest.raises(PeerRefused) as caught:
            self.order.result("")
        return str(caught.value)


@contextmanager
def housed(
    folder: Path, peer: Peer = ARCHIVE, most_bytes: int = 1 << 30, address: str = "127.0.0.1", **settings: Any
) -> Iterator[House]:
    spool = Spool(folder / "spool", reserve=0)
    spool.prepare()
    wanted = ct_instance(PatientID="Right")
    uid, series = str(wanted.SOPInstanceUID), str(wanted.SeriesInstanceUID)
    wish = Wish(str(wanted.StudyInstanceUID), {uid: series}, PatientKey("Right", ""), frozenset({CT}))
    order = Order(peer, wish, spool, most_bytes)
    listener = Listener(Receiving(KIOSK, free_port(), "127.0.0.1", **settings))
    listener.open()
    try:
        with listener.orders.open(order, address):
            yield House(listener, order, wanted)
    finally:
        listener.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with housed(tmp_path) as house:
        yield house


def associate(
    house: House, calling: str = "PACS", called: str = KIOSK, classes: tuple[str, ...] = (CT,), **more: Any
) -> Any:
    mend()
    entity = AE(ae_title=calling)
    for sop_class in classes:
        entity.add_requested_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    return entity.associate("127.0.0.1", house.listener.port, ae_title=called, **more)


def offer(house: House, instance: Dataset, **more: Any) -> tuple[int, str]:
    """What a C-STORE of it is answered with."""
    association = associate(house, **more)
    assert association.is_established
    answer = association.send_c_store(instance)
    association.release()
    return int(answer.Status), str(answer.get("ErrorComment", ""))


def test_the_instance_that_was_asked_for_is_taken_so_that_the_rest_means_something(house: House) -> None:
    assert offer(house, house.wanted) == (0, "")
    assert len(house.files) == 1
    assert (house.order.received, house.order.missing()) == (1, ())


@pytest.mark.parametrize(
    ("calling", "called", "source", "reason"),
    [("STRANGER", KIOSK, 1, 3), ("PACS", "SOMEBODY", 1, 7), ("pacs", KIOSK, 1, 3), (KIOSK, KIOSK, 1, 3)],
    ids=["other caller", "other called", "other case", "our own name"],
)
def test_a_wrong_ae_title_is_rejected(calling: str, called: str, source: int, reason: int, house: House) -> None:
    association = associate(house, calling, called)
    assert association.is_rejected
    answer = association.acceptor.primitive
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, source, reason)
    assert house.files == []


def test_the_right_ae_title_from_a_wrong_address_is_hung_up_on_without_a_word(tmp_path: Path) -> None:
    elsewhere = replace(ARCHIVE, host="192.0.2.7")
    with housed(tmp_path, elsewhere, address="192.0.2.7") as house:
        with socket.create_connection(("127.0.0.1", house.listener.port), timeout=30) as connection:
            assert heard(connection) == b""
        assert not associate(house).is_established
        assert house.files == []


def heard(connection: Any) -> bytes:
    """Everything until the end, however that comes."""
    try:
        return bytes(connection.recv(1000))
    except ConnectionResetError:
        return b""


def tls_args(authority: Authority, holder: Holder | None) -> tuple[ssl.SSLContext, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.file)
    if holder is not None:
        context.load_cert_chain(holder.certificate, holder.key)
    return context, "127.0.0.1"


@pytest.mark.parametrize("who", ["archive", "other authority", "expired", "no certificate", "no TLS"])
def test_a_peer_with_tls_is_believed_by_its_certificate_and_not_without(who: str, site: Site, tmp_path: Path) -> None:
    peer = replace(ARCHIVE, tls=site.tls)
    strangers: dict[str, Holder | None] = {
        "archive": site.archive,
        "other authority": site.other.issue("intruder"),
        "expired": site.authority.issue("intruder-expired", days=-1),
        "no certificate": None,
    }
    with housed(tmp_path, peer) as house:
        more: dict[str, Any] = {} if who == "no TLS" else {"tls_args": tls_args(site.authority, strangers[who])}
        association = associate(house, **more)
        assert association.is_established is (who == "archive")
        if association.is_established:
            assert association.send_c_store(house.wanted).Status == 0
            association.release()
        assert len(house.files) == (1 if who == "archive" else 0)


def test_tls_that_nobody_configured_is_not_answered(site: Site, house: House) -> None:
    assert not associate(house, tls_args=tls_args(site.authority, site.archive)).is_established
    assert house.files == []


def of_another(**attributes: Any) -> Callable[[Dataset], Dataset]:
    """The wanted instance with one thing about it that is not as it was asked for."""

    def change(wanted: Dataset) -> Dataset:
        same = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID")
        return ct_instance(**{keyword: str(wanted[keyword].value) for keyword in same} | attributes)

    return change


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (of_another(SOPInstanceUID="1.2.3.4"), 0x0124, "not what was asked for"),
        (of_another(StudyInstanceUID="1.2.3.4"), 0xA900, "of another study or series"),
        (of_another(SeriesInstanceUID="1.2.3.4"), 0xA900, "of another study or series"),
        (of_another(PatientID="Wrong"), 0xA900, "of another patient"),
        (of_another(PatientID=""), 0xA900, "of another patient"),
    ],
    ids=["instance", "study", "series", "patient", "nobody"],
)
def test_what_is_not_what_was_asked_for_is_refused_by_name_and_on_record(
    change: Callable[[Dataset], Dataset], status: int, words: str, house: House
) -> None:
    code, comment = offer(house, change(house.wanted))
    assert code == status
    assert words in comment
    assert words in house.refusal()
    assert house.files == []


def request(instance: Dataset, data: bytes, sop_class: str = CT) -> C_STORE:
    """A C-STORE request with whatever data set."""
    primitive = C_STORE()
    primitive.MessageID = 7
    primitive.AffectedSOPClassUID = sop_class
    primitive.AffectedSOPInstanceUID = instance.SOPInstanceUID
    primitive.Priority = 2
    primitive.DataSet = BytesIO(data)
    return primitive


def answered(association: Any, primitive: Any, context_id: int) -> int | None:
    """The status that comes back; None when the association is ended instead."""
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        if not association.is_alive():
            return None
    association.dimse.send_msg(primitive, context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return None if answer is None else int(answer.Status)


def encoded(dataset: Dataset) -> bytes:
    raw = encode(dataset, is_implicit_vr=False, is_little_endian=True)
    assert raw is not None
    return bytes(raw)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda wanted: encoded(of_another(SOPInstanceUID="1.2.3.4")(wanted)), "not what the request said"),
        (lambda wanted: encoded(of_another(SOPClassUID=MR)(wanted)), "not what the request said"),
        (lambda _: b"\xff" * 4000, "not what the request said"),
        (lambda wanted: encoded(wanted)[:100], "not what the request said"),
    ],
    ids=["other instance inside", "other class inside", "noise inside", "half inside"],
)
def test_a_request_whose_object_is_another_one_is_refused(
    data: Callable[[Dataset], bytes], words: str, house: House
) -> None:
    association = associate(house)
    status = answered(association, request(house.wanted, data(house.wanted)), 1)
    association.abort()
    assert status in (0xA900, None)
    if status is not None:
        assert words in house.refusal()
    assert house.files == []


def test_more_bytes_than_an_order_may_bring_are_not_written(tmp_path: Path) -> None:
    with housed(tmp_path, most_bytes=1000) as house:
        assert offer(house, house.wanted)[0] == 0xA700
        assert "more than may be received at once" in house.refusal()
        assert house.files == []


def test_more_instances_than_were_asked_for_are_not_written_and_the_same_one_again_neither(house: House) -> None:
    association = associate(house)
    assert association.send_c_store(house.wanted).Status == 0
    (file,) = house.files
    before = file.read_bytes()
    again = of_another(Rows=1, Columns=1, PixelData=b"\x01\x01")(house.wanted)
    assert association.send_c_store(again).Status == 0
    for number in range(5):
        assert association.send_c_store(ct_instance(PatientID="Right", InstanceNumber=number)).Status == 0x0124
    association.release()
    assert house.files == [file]
    assert file.read_bytes() == before


def test_contexts_that_were_never_asked_for_are_not_agreed(house: House) -> None:
    classes = (CT, MR, STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STORAGE_COMMITMENT, VERIFICATION)
    association = associate(house, classes=classes)
    assert {str(context.abstract_syntax) for context in association.accepted_contexts} == {CT, VERIFICATION}
    assert {context.result for context in association.rejected_contexts} == {3}
    association.release()
    strange = AE(ae_title="PACS")
    strange.add_requested_context(CT, "1.2.3.4.5")
    strange.add_requested_context(VERIFICATION)
    association = strange.associate("127.0.0.1", house.listener.port, ae_title=KIOSK)
    assert [context.result for context in association.rejected_contexts] == [4]
    association.release()


def test_what_is_sent_under_a_context_that_was_not_agreed_is_not_taken(house: House) -> None:
    """An object of another class than its context's, one under a number that was never proposed, and other services."""
    data = encoded(of_another(SOPClassUID=MR)(house.wanted))
    association = associate(house)
    assert answered(association, request(house.wanted, data, MR), 1) == 0x0122
    association.abort()
    association = associate(house)
    assert answered(association, request(house.wanted, encoded(house.wanted)), 99) is None
    association = associate(house, classes=(CT, VERIFICATION))
    (verification,) = [one for one in association.accepted_contexts if one.abstract_syntax == VERIFICATION]
    status = answered(association, request(house.wanted, encoded(house.wanted)), verification.context_id)
    association.abort()
    assert status in (0x0122, None)
    assert house.files == []


def test_a_query_to_us_is_refused_and_a_report_under_a_context_of_images_ends_the_association(house: House) -> None:
    query = C_FIND()
    query.MessageID, query.AffectedSOPClassUID, query.Priority = 1, STUDY_ROOT_FIND, 2
    query.Identifier = BytesIO(b"\x08\x00\x52\x00CS\x06\x00STUDY ")
    association = associate(house)
    assert answered(association, query, 1) == 0x0211
    association.abort()
    event = N_EVENT_REPORT()
    event.MessageID, event.AffectedSOPClassUID = 2, STORAGE_COMMITMENT
    event.AffectedSOPInstanceUID, event.EventTypeID = WELL_KNOWN_INSTANCE, 1
    event.EventInformation = BytesIO(b"\x08\x00\x95\x11UI\x04\x001.2\x00")
    with house.listener.reports as reports:
        association = associate(house)
        assert answered(association, event, 1) is None
        assert reports.next(0) is None


def test_whoever_is_in_no_order_may_report_and_send_nothing_though_it_is_configured(tmp_path: Path) -> None:
    other = local_peer("Other", "OTHER", 104)
    with housed(tmp_path, callers=(other,)) as house:
        association = associate(house, "OTHER", classes=(CT, VERIFICATION))
        assert [str(context.abstract_syntax) for context in association.accepted_contexts] == [VERIFICATION]
        association.release()
        roles = [build_role(STORAGE_COMMITMENT, scu_role=False, scp_role=True)]
        assert not associate(house, "OTHER", classes=(STORAGE_COMMITMENT,), ext_neg=roles).accepted_contexts
        assert house.files == []


def test_an_order_that_is_over_takes_nothing_more_from_an_association_that_is_still_open(house: House) -> None:
    second = ct_instance(PatientID="Right")
    uid = str(second.SOPInstanceUID)
    wish = Wish(str(second.StudyInstanceUID), {uid: ""}, PatientKey("Right", ""), frozenset({CT}))
    association = associate(house)
    with house.listener.orders.open(Order(ARCHIVE, wish, house.order.spool), "127.0.0.1"):
        assert association.is_established
    assert association.send_c_store(second).Status == 0x0124
    association.release()
    assert house.files == []


def test_more_associations_than_are_served_are_turned_away_and_the_others_go_on(tmp_path: Path) -> None:
    with housed(tmp_path, most_associations=2) as house:
        first, second = associate(house), associate(house)
        assert first.is_established
        assert second.is_established
        third = associate(house)
        assert third.is_rejected
        answer = third.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
        assert first.send_c_store(house.wanted).Status == 0
        first.release()
        second.release()
        until_free(house)
        assert len(house.files) == 1


def until_free(house: House) -> None:
    """Its thread ends a moment after the association."""
    until, pause = monotonic() + 30, Event()
    while not (association := associate(house)).is_established:
        assert monotonic() < until, "no association becomes free"
        pause.wait(0.05)
    association.release()


def test_a_request_that_proposes_more_than_it_may_or_is_cut_short_ends_without_an_answer(house: House) -> None:
    for body in (b"", bytes(68), bytes(67), bytes(68) + b"\x20\x00\xff\xff", b"\x00\x01" + bytes(200)):
        with socket.create_connection(("127.0.0.1", house.listener.port), timeout=30) as connection:
            connection.sendall(pdu(1, body))
            connection.shutdown(socket.SHUT_WR)
            try:
                kind, _ = read_pdu(connection)
            except OSError:
                continue
            assert kind in (3, 7)
    assert offer(house, house.wanted)[0] == 0
