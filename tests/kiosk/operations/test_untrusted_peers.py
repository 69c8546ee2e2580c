"""TLS that does not come about with an archive or a destination: on record once an act, as Node Authentication."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from kiosk.audit import AuditMessage, Outcome, Phase, codes
from kiosk.errors import PeerUntrusted
from kiosk.imaging.calls import CommitmentAsked, Found, Imaging, Notified
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import JobState, Outbox, OutboxItem, OutboxJob
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Study, StudyQuery
from kiosk.operations.browse import OpenStudy
from kiosk.operations.deliver_push import ConfirmPush
from kiosk.operations.job import Errand, write_errand
from kiosk.operations.parcel import Parcel
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.query import QueryStudies
from tests.kiosk.imaging.certificates import Site, make_site
from tests.kiosk.imaging.test_tls import tls_server
from tests.kiosk.operations.acts import ARCHIVE, DELEGATION, SESSION, STUDY, AnsweringImaging
from tests.kiosk.operations.ledgers import MemoryLedger

ANYBODY = StudyQuery(patient_name="Mei*")
UNTRUSTED = PeerUntrusted("No secure connection with Archive (PACS): its certificate has expired.", "192.0.2.1:2762")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def imaging() -> Iterator[WorkerImaging]:
    imaging = WorkerImaging()
    yield imaging
    imaging.close()


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def desk(ledger: MemoryLedger) -> Desk:
    return Desk(ledger, lambda _: True)


def alerts(ledger: MemoryLedger) -> list[AuditMessage]:
    """The alerts on record, each with the outcome of its act."""
    found = [(entry, message) for entry in ledger.entries for message in entry.messages]
    assert all(
        entry.phase is Phase.OUTCOME for entry, message in found if codes.NODE_AUTHENTICATION in message.event_types
    )
    return [message for _, message in found if codes.NODE_AUTHENTICATION in message.event_types]


def check(alert: AuditMessage, peer: Peer, words: str) -> None:
    """Who asked, whom it was to be, and why not."""
    assert (alert.event_id, alert.action, alert.outcome) == (codes.SECURITY_ALERT, "E", Outcome.SERIOUS)
    assert words in alert.outcome_description
    (asked,) = alert.participants
    assert (asked.user_id, asked.is_requestor) == (SESSION.user_id, True)
    assert asked.alternative_user_id == ";".join(SESSION.badge.tokens)
    (node,) = alert.objects
    assert (node.object_id, node.id_type) == (f"127.0.0.1:{peer.port}", codes.NODE_ID)


@pytest.mark.parametrize(
    ("holder", "authority", "words"),
    [
        ("expired", "ours", "its certificate has expired"),
        ("stranger", "ours", "authority is not known here"),
        ("archive", "theirs", "it does not know the authority of our certificate"),
    ],
)
def test_a_query_that_tls_keeps_from_an_archive_leaves_one_alert(
    holder: str, authority: str, words: str, site: Site, imaging: WorkerImaging, desk: Desk, ledger: MemoryLedger
) -> None:
    holders = {"archive": site.archive}
    if holder == "expired":
        holders[holder] = site.authority.issue(holder, days=-1)
    if holder == "stranger":
        holders[holder] = site.other.issue(holder)
    trusted = site.other if authority == "theirs" else site.authority
    with tls_server(site, holders[holder], authority=trusted) as peer:
        act = QueryStudies(cast("Imaging", imaging), (peer,), ANYBODY, 10)
        with pytest.raises(PeerUntrusted) as raised:
            finish(perform(desk, SESSION, act))
    assert raised.value.node == f"127.0.0.1:{peer.port}"
    (alert,) = alerts(ledger)
    check(alert, peer, words)
    assert [message.event_id for message in ledger.entries[-1].messages] == [codes.QUERY, codes.SECURITY_ALERT]


def test_so_does_a_study_that_cannot_be_opened(
    site: Site, imaging: WorkerImaging, desk: Desk, ledger: MemoryLedger
) -> None:
    with (
        tls_server(site, site.other.issue("unknown")) as peer,
        pytest.raises(PeerUntrusted),
    ):
        finish(perform(desk, SESSION, OpenStudy(cast("Imaging", imaging), peer, STUDY)))
    (alert,) = alerts(ledger)
    check(alert, peer, "authority is not known here")


class Distrusting(AnsweringImaging):
    """Cannot speak with peers of the AE title "SECURE"."""

    def find_studies(self, *arguments: object) -> Generator[Study, None, Found]:
        """One study from the others."""
        peer = cast("Peer", arguments[0])
        if peer.ae_title == "SECURE":
            raise UNTRUSTED
        return (yield from super().find_studies(*arguments))

    def commit(self, *_: object) -> CommitmentAsked:
        """Never."""
        raise UNTRUSTED

    def notify(self, *_: object) -> Notified:
        """Never."""
        raise UNTRUSTED


def test_an_archive_that_the_others_made_up_for_is_on_record_too(desk: Desk, ledger: MemoryLedger) -> None:
    secure = replace(ARCHIVE, name="Secure", ae_title="SECURE")
    again = replace(secure, name="Again")
    act = QueryStudies(cast("Imaging", Distrusting()), (secure, ARCHIVE, again), ANYBODY, 10)
    assert finish(perform(desk, SESSION, act)).count == 1
    (alert,) = alerts(ledger)
    assert alert.outcome_description == str(UNTRUSTED)
    assert alert.objects[0].object_id == "192.0.2.1:2762"
    assert [message.outcome for message in ledger.entries[-1].messages[:3]] == [
        Outcome.SERIOUS,
        Outcome.SUCCESS,
        Outcome.SERIOUS,
    ]


@pytest.mark.parametrize("delivered", [False, True], ids=["the destination", "a listener"])
def test_what_a_push_is_put_off_for_is_on_record_with_that_attempt(
    delivered: bool, tmp_path: Path, desk: Desk, ledger: MemoryLedger
) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.open()
    try:
        outbox.add(_job())
        outbox.plan("job", (OutboxItem("job", "1.2.3.4.5", "1.2", "1.2.3.4"),))
        outbox.mark_sent("job", "1.2.3.4.5")
        if delivered:
            outbox.mark_delivered("job", ("1.2.3.4.5",))
        listener = replace(ARCHIVE, name="Listener")
        imaging = cast("Imaging", Distrusting())
        parcel = Parcel(imaging, outbox, ARCHIVE, ARCHIVE, STUDY, "job", str(tmp_path), (listener,))
        work = perform(desk, DELEGATION, ConfirmPush(parcel), Event())
        if delivered:
            assert finish(work).later is UNTRUSTED
        else:
            with pytest.raises(PeerUntrusted):
                finish(work)
    finally:
        outbox.close()
    (alert,) = alerts(ledger)
    assert alert.participants[0].user_id == DELEGATION.user_id


def test_other_failures_leave_no_such_alert(desk: Desk, ledger: MemoryLedger) -> None:
    act = QueryStudies(cast("Imaging", AnsweringImaging(broken=True)), (ARCHIVE,), ANYBODY, 10)
    with pytest.raises(Exception, match="does not answer"):
        finish(perform(desk, SESSION, act))
    assert alerts(ledger) == []


def _job() -> OutboxJob:
    return OutboxJob(
        job_id="job",
        owner=DELEGATION.user_id,
        errand=write_errand(Errand(STUDY, DELEGATION)),
        archive="Archive",
        destination="Archive",
        study_instance_uid=STUDY.study_instance_uid,
        series_instance_uids=(),
        state=JobState.CONFIRMING,
    )
