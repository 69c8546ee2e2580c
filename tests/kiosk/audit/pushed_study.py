"""What a kiosk records of a study that is pushed, from the tap to the destination, with any of it left out."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kiosk.audit import Actor, Entry, Occasion, Outcome, PatientRef, Phase, RecordedProof, Trail, Who, events
from tests.kiosk.audit.samples import KIOSK, PATIENT, SOURCE, ManualClock

UID = "1.2.826.0.1.3680043.8.498.77"
SESSION = "5e55104a"
JOB = "0b1ec7"
FOUND_BY = "act-query"
BADGE = ("uid:04A1B2C3D4E580", "pkoc:9f2c51d07a3b4e6d")
NOBODY = Actor("system", "system", "", BADGE)
KNOWN = Actor("system", "a.weber", "Dr. Anna Weber", BADGE)
PERSON = Actor("session", "a.weber", "Dr. Anna Weber", BADGE, SESSION, "radiologist")
DELEGATE = replace(PERSON, kind="delegation")
HERSELF = Who(PERSON.user_id, PERSON.user_name, BADGE, PERSON.role)
IN_SESSION = (("session", SESSION),)
OF_PUSH = (("study", UID), ("destination", "PACS"))
FOUND = (("found_by", FOUND_BY),)
OF_JOB = (("job", JOB),)
COUNTS = (("archive", "ARCHIVE"), ("retrieved", "12"), ("sent", "12"))
TRANSACTION = "2.25.77"
OWED = (("verify", "commitment"), ("commitment_owed", TRANSACTION))
KEPT = (("sent", "12"), ("verify", "commitment"), ("commitment", f"{TRANSACTION} 12"))
MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = ec.derive_private_key(0x1F5C0A7E3D2B4968, ec.SECP256R1())

Step = Callable[[Trail], Entry]


def proof(binding: bytes) -> RecordedProof:
    """What a phone signs whose challenge was made from that binding."""
    nonce = hashlib.sha256(binding).digest()[:16]
    r, s = decode_dss_signature(KEY.sign(nonce, ec.ECDSA(hashes.SHA256())))
    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return RecordedProof("ecdsa-p256-sha256", nonce, r.to_bytes(32, "big") + s.to_bytes(32, "big"), point, binding)


def tap(trail: Trail) -> Entry:
    """A phone that signed the chain as it stood."""
    binding = trail.head().hash + secrets.token_bytes(32)
    return Entry("tap", "act-tap", Phase.INTENT, NOBODY, "Tap (pkoc)", proof=proof(binding), details=IN_SESSION)


def _of(
    act: str,
    phase: Phase,
    actor: Actor,
    said: str,
    details: tuple[tuple[str, str], ...],
    patient: PatientRef | None = None,
    act_id: str = "",
) -> Step:
    outcome = None if phase is Phase.INTENT else Outcome.SUCCESS
    entry = Entry(act, act_id or f"act-{act}", phase, actor, said, outcome, details=details, patient=patient)
    return lambda _: entry


def _let_in(_: Trail) -> Entry:
    messages = events.login(HERSELF, KIOSK, Outcome.SUCCESS, "Signed in with badge and PIN")
    said = "Signed in with badge and PIN"
    return Entry("enter_pin", "act-pin", Phase.OUTCOME, KNOWN, said, Outcome.SUCCESS, messages, details=IN_SESSION)


def steps() -> dict[str, Step]:
    """The records of one push, by what each of them is."""
    begun, ended = Phase.INTENT, Phase.OUTCOME
    keys = (("key.patient_name", "Planted*"),)
    return {
        "tap": tap,
        "tap's decision": _of("tap", ended, KNOWN, "Known badge; a PIN is needed", IN_SESSION),
        "PIN": _of("enter_pin", begun, KNOWN, "PIN entered", IN_SESSION, act_id="act-pin"),
        "PIN's decision": _let_in,
        "query": _of("query", begun, PERSON, "Query", keys, act_id=FOUND_BY),
        "query's end": _of("query", ended, PERSON, "Query: 1 studies, done", keys, act_id=FOUND_BY),
        "push": _of("push", begun, PERSON, "Push to PACS", (*OF_PUSH, *FOUND), PATIENT),
        "push's end": _of("push", ended, PERSON, "Push: in the outbox", (*OF_PUSH, *FOUND, *OF_JOB), PATIENT),
        "sign-out": _of("sign_out", begun, PERSON, "Session ending: signed out", IN_SESSION),
        "sign-out's end": _of("sign_out", ended, PERSON, "Session ended: signed out", IN_SESSION),
        "delivery": _of("deliver", begun, DELEGATE, "Deliver to PACS", (*OF_PUSH, *OF_JOB), PATIENT),
        "delivery's end": _of(
            "deliver",
            ended,
            DELEGATE,
            "Deliver to PACS: 12 of 12 instances",
            (*OF_PUSH, *OF_JOB, *COUNTS, *OWED),
            PATIENT,
        ),
        "confirmation": _of("confirm", begun, DELEGATE, "Confirm delivery to PACS", (*OF_PUSH, *OF_JOB), PATIENT),
        "confirmation's end": _of(
            "confirm", ended, DELEGATE, "Confirm delivery: 12 of 12", (*OF_PUSH, *OF_JOB, *KEPT), PATIENT
        ),
    }


def noise(number: int) -> Entry:
    """What else goes on at a kiosk."""
    actor = Actor("session", "m.okafor", "Michael Okafor", ("uid:04C7D81A2B3C4D",), "another", "technologist")
    return Entry("open_study", f"noise-{number}", Phase.EVENT, actor, "Open study", Outcome.SUCCESS)


def recorded(folder: Path, chosen: dict[str, Step]) -> Trail:
    """An open trail that holds those records among others, signed for at its end."""
    clock = ManualClock(MORNING)
    trail = Trail(folder / "audit" / "trail.sqlite", "kiosk-7", SOURCE, clock)
    trail.open()
    for number, step in enumerate(chosen.values()):
        trail.append(noise(number))
        clock.turn(2.5)
        trail.append(step(trail))
    trail.checkpoint(Occasion.SIGN_OUT)
    return trail


def without(name: str) -> dict[str, Step]:
    """All but one."""
    return {key: step for key, step in steps().items() if key != name}


def each() -> Iterator[str]:
    """The name of each."""
    yield from steps()
