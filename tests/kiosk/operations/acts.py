"""One of every operation, ready to be performed with fakes that answer or fail."""

from collections.abc import Callable, Generator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.gate import DenialReason, Denied, Gate, Granted, PinRequired
from kiosk.access.people import Directory
from kiosk.access.person import Credential, Person
from kiosk.access.policy import Permission, Role
from kiosk.audit import Month, Node, Pruned, Segment, Trail
from kiosk.errors import NotAllowed, PeerUnreachable, TrailError
from kiosk.imaging.calls import CommitmentAsked, Found, Imaging, InstanceKey, Received, Retrieved, Sent
from kiosk.imaging.lookups import Level, Lookup, Match, Root
from kiosk.imaging.outbox import Outbox
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import (
    Instance,
    OrderRule,
    Patient,
    PersonName,
    Series,
    SeriesContents,
    Study,
    StudyQuery,
    TagRow,
)
from kiosk.operations.audit_log import ReadAudit, TraceCustody, VerifyAudit
from kiosk.operations.browse import OpenSeries, OpenStudy, ReadTags
from kiosk.operations.deliver_push import ConfirmPush, DeliverPush
from kiosk.operations.facts import EndReason
from kiosk.operations.forget_push import ForgetPush
from kiosk.operations.issue_cards import MakeKeys, PersonaliseCard
from kiosk.operations.look_up import LookUp
from kiosk.operations.operations import PushRequest
from kiosk.operations.parcel import Parcel
from kiosk.operations.perform import Operation
from kiosk.operations.principal import Badge, Delegation, Principal, Session, System
from kiosk.operations.push import CancelPush, Push, RetryPush
from kiosk.operations.query import QueryStudies
from kiosk.operations.retention import PruneTrail, SealTrail
from kiosk.operations.service import NoteReader, NoteSink, ResumeService, StartKiosk, StopKiosk
from kiosk.operations.sign_in import AbandonPin, EndSession, EnterPin, Tap
from kiosk.operations.staff import (
    AddPerson,
    Bootstrap,
    DisablePerson,
    EnablePerson,
    EnrolBadge,
    ListCredentials,
    ListStaff,
    ResetPin,
    RevokeCredential,
)
from readers.credentials.claim import Assurance, Claim
from readers.credentials.desfire_personalise import Personalised, Progress, Step
from readers.errors import CardGone
from readers.uid import Uid
from tests.kiosk.operations.ledgers import MemoryLedger

BADGE = Badge("iso14443", "04A1B2C3D4E580", "")
SESSION = Session(
    "s1", "a.weber", "Anna Weber", "radiologist", BADGE, frozenset(permission.value for permission in Permission)
)
DELEGATION = Delegation("s1", "a.weber", "Anna Weber", "radiologist", BADGE, "push", "job")
SYSTEM = System()
PRINCIPALS: tuple[Principal, ...] = (SESSION, DELEGATION, SYSTEM)

NODE = Node("KIOSK")
ARCHIVE = Peer("Archive", "PACS", "127.0.0.1", 104)
UID = Uid.from_hex("04A1B2C3D4E580")
CLAIM = Claim("iso14443", bytes.fromhex("04A1B2C3D4E580"), Uid.from_hex("04A1B2C3D4E580"), Assurance.IDENTIFIER)
PERSON = Person("p1", "a.weber", "Anna Weber", Role.RADIOLOGIST, True)
CREDENTIAL = Credential("c1", "p1", "iso14443", Assurance.IDENTIFIER, "…E580", "", datetime(2026, 1, 1, tzinfo=UTC))
REQUIRED = PinRequired(PERSON, CREDENTIAL, 5)
PATIENT = Patient("P-1", "HOSPITAL", PersonName("Meier^Eva"), date(1970, 1, 2), "F")
STUDY = Study("1.2.3", PATIENT, None, None, "A1", "CT head", ("CT",), PersonName(), "1", 1, 1, "Archive")
SERIES = Series("1.2.3", "1.2.3.4", 1, "CT", "axial", "HEAD", 1)
INSTANCE = Instance("1.2.3.4.5", "1.2", "CT", "1.2.3.4", "1.2", 1, 8, 8, 1, None, None, "f" * 32, 10)
CONTENTS = SeriesContents(SERIES, (INSTANCE,), OrderRule.INSTANCE_NUMBER)


class AnsweringImaging:
    """Answers every call with one plain answer; `broken` makes every call fail like a peer that is gone."""

    def __init__(self, broken: bool = False) -> None:
        self._broken = broken
        self.calls: list[str] = []

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self._broken:
            raise PeerUnreachable("Archive (PACS) does not answer.")

    def find_studies(self, *_: object) -> Generator[Study, None, Found]:
        """One study."""
        self._called("find_studies")
        yield STUDY
        return Found(1, False)

    def look_up(self, *_: object) -> Generator[Match, None, Found]:
        """One answer."""
        self._called("look_up")
        yield Match((("StudyInstanceUID", STUDY.study_instance_uid),))
        return Found(1, False)

    def find_series(self, *_: object) -> Generator[Series, None, Found]:
        """One series."""
        self._called("find_series")
        yield SERIES
        return Found(1, False)

    def find_instances(self, *_: object) -> Generator[InstanceKey, None, Found]:
        """One instance."""
        self._called("find_instances")
        yield InstanceKey("1.2.3.4.5", "1.2", 1)
        return Found(1, False)

    def commit(self, *_: object) -> CommitmentAsked:
        """It will say so later."""
        self._called("commit")
        return CommitmentAsked()

    def retrieve(self, *_: object, **__: object) -> Generator[Received, None, Retrieved]:
        """One instance."""
        self._called("retrieve")
        yield Received("1.2.3.4.5", "1.2", "1.2.3.4", "1.2", "f" * 32, 10)
        return Retrieved(1, 0)

    def read_series(self, *_: object) -> SeriesContents:
        """The series of one instance."""
        self._called("read_series")
        return CONTENTS

    def tags(self, *_: object) -> Generator[TagRow, None, None]:
        """One tag."""
        self._called("tags")
        yield TagRow(0, "(0008,0018)", "SOPInstanceUID", "UI", "1", "1.2.3.4.5", "SOP Instance UID")

    def send(self, *_: object) -> Generator[Any, None, Sent]:
        """Nothing left to say."""
        self._called("send")
        yield from ()
        return Sent(0, 0)


class _Gate:
    def decide(self, _: Claim) -> Denied:
        return Denied(DenialReason.UNKNOWN_BADGE, "This badge is not known here")

    def check_pin(self, *_: object) -> Granted:
        return Granted(PERSON, CREDENTIAL, False)


class _Staff:
    def __init__(self) -> None:
        self.pins = self

    def bootstrap(self, *_: object) -> Person:
        raise NotAllowed("This kiosk has had its first enrolment officer.")

    def add_person(self, *_: object) -> Person:
        return PERSON

    def require_strong(self, *_: object) -> None:
        pass

    def by_claim(self, _: Claim) -> None:
        return None

    def enrol(self, *_: object) -> Credential:
        return CREDENTIAL

    def set(self, *_: object) -> None:
        pass

    def credential(self, _: str) -> tuple[Person, Credential]:
        return PERSON, CREDENTIAL

    def revoke(self, *_: object) -> Credential:
        return CREDENTIAL

    def disable(self, _: str) -> Person:
        return PERSON

    def enable(self, _: str) -> Person:
        return PERSON

    def reset_pin(self, *_: object) -> None:
        pass


class _Archive:
    def __init__(self, did: list[str], *, broken: bool) -> None:
        self._did = did
        self._broken = broken

    def segments(self) -> tuple[Segment, ...]:
        return ()

    def seal(self, _: Month | None = None) -> tuple[Segment, ...]:
        self._act("seal")
        return ()

    def prune(self) -> Pruned:
        self._act("prune")
        return Pruned(())

    def _act(self, name: str) -> None:
        self._did.append(name)
        if self._broken:
            raise TrailError("The disk of the segments is full.")


def _personalise(did: list[str], *, broken: bool) -> Generator[Progress, None, Personalised]:
    did.append("personalise")
    yield Progress(Step.CREATE_APPLICATION, 1, 2)
    if broken:
        raise CardGone("The card left the reader too soon.")
    return Personalised(CLAIM, written=True)


def makers(
    trail: Trail, outbox: Outbox, folder: Path, did: list[str], *, broken: bool
) -> Iterator[Operation[Any, Any]]:
    """One of each; those that would change something note in `did` that they acted."""
    imaging = cast("Imaging", AnsweringImaging(broken))
    gate, staff = cast("Gate", _Gate()), cast("Directory", _Staff())

    def note(name: str) -> Callable[..., None]:
        return lambda *_: did.append(name)

    yield Tap(gate, NODE, CLAIM)
    yield EnterPin(gate, NODE, CLAIM, REQUIRED, EnteredPin("482913"))
    yield AbandonPin(CLAIM, REQUIRED, "given up", note("abandon"))
    yield EndSession(NODE, SESSION, EndReason.IDLE, note("end"))
    yield QueryStudies(imaging, (ARCHIVE,), StudyQuery(patient_name="Mei*"), 10)
    yield LookUp(imaging, ARCHIVE, Lookup(Root.PATIENT, Level.STUDY, (("PatientName", "Mei*"),)), 10)
    yield OpenStudy(imaging, ARCHIVE, STUDY)
    yield OpenSeries(imaging, ARCHIVE, STUDY, SERIES, str(folder))
    yield ReadTags(imaging, ARCHIVE, STUDY, INSTANCE, str(folder))
    yield Push(lambda *_: "job", ARCHIVE, PushRequest(STUDY, (), "Archive"))
    yield CancelPush(note("cancel"), "job", STUDY, "Archive")
    yield RetryPush(note("retry"), "job", STUDY, "Archive")
    parcel = Parcel(imaging, outbox, ARCHIVE, ARCHIVE, STUDY, "job", str(folder))
    yield DeliverPush(parcel)
    yield ConfirmPush(parcel)
    yield ForgetPush(note("forget"), outbox.job("job"), outbox.counts("job"), STUDY)
    yield Bootstrap(staff, "a.b", "A B")
    yield AddPerson(staff, "a.b", "A B", Role.TECHNOLOGIST)
    yield EnrolBadge(staff, PERSON, CLAIM, EnteredPin("482913"))
    yield RevokeCredential(staff, PERSON, CREDENTIAL, "lost")
    yield DisablePerson(staff, PERSON)
    yield EnablePerson(staff, PERSON)
    yield ResetPin(staff, PERSON, EnteredPin("482913"))
    yield ListStaff(lambda: (PERSON,))
    yield ListCredentials(lambda: (PERSON,), lambda _: (CREDENTIAL,))
    yield MakeKeys(("desfire-read",), lambda _: bool(did.append("make keys")) or not broken)
    yield PersonaliseCard(UID, "F51234", lambda: _personalise(did, broken=broken))
    yield ReadAudit(NODE, trail)
    yield VerifyAudit(NODE, trail)
    yield TraceCustody(NODE, trail, STUDY.study_instance_uid)
    yield SealTrail(NODE, trail.uri, _Archive(did, broken=broken))
    yield PruneTrail(trail.uri, _Archive(did, broken=broken))
    yield StartKiosk(NODE, MemoryLedger(), (), note("start"))
    yield StopKiosk(NODE, note("stop"))
    yield NoteReader("reader", "It is gone.", note("reader"))
    yield NoteSink(NODE, "ARR", "arr.example:6514", "Audit sink ARR: its certificate has expired.")
    yield ResumeService(NODE, "file:///trail", "the disk was full", note("resume"))
