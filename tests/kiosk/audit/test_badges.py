"""A badge on record: its UID, its token or both, on every message, and in nothing else."""

from dataclasses import replace

import pytest

from kiosk.audit import Actor, BadgeId, BadgeNaming, Entry, Node, Outcome, Phase, Who, codes, events
from kiosk.audit.alerts import CARD_URN
from kiosk.audit.canonical import encode_body
from tests.kiosk.audit.samples import ACTOR, KIOSK, PACS, PATIENT, RADIOLOGIST, SOURCE, STUDY, ManualClock

KEY = bytes(range(32))
UID = "04A1B2C3D4E5F6"
FINGERPRINT = "pkoc:9f2c51d07a3b4e6d"
# printf "kiosk badge token04A1B2C3D4E5F6" | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102...1f, 16 octets
TOKEN = "token:e71806c11e2f6a67f14eb2702d3af919"  # how a badge is named on record
FIND = "1.2.840.10008.5.1.4.1.2.2.1"

MESSAGES = (
    *events.login(RADIOLOGIST, KIOSK, Outcome.SUCCESS),
    *events.query(RADIOLOGIST, KIOSK, PACS, FIND, b"", Outcome.SUCCESS),
    *events.instances_accessed(RADIOLOGIST, KIOSK, (STUDY,), PATIENT, Outcome.SUCCESS),
    *events.transferred(RADIOLOGIST, KIOSK, PACS, (STUDY,), PATIENT, Outcome.SUCCESS),
    *events.security_alert(RADIOLOGIST, codes.OBJECT_SECURITY_CHANGED, CARD_URN + UID, "Personalised"),
    *events.security_alert(RADIOLOGIST, codes.USER_SECURITY_CHANGED, "ada", "Enrolled", card=UID),
    *events.logout(replace(RADIOLOGIST, is_requestor=False), KIOSK, "idle"),
)
ENTRY = Entry("tap", "a1", Phase.OUTCOME, ACTOR, "Signed in", Outcome.SUCCESS, MESSAGES)


def naming(badge_id: str) -> BadgeNaming:
    return BadgeNaming(BadgeId(badge_id), b"" if badge_id == "uid" else KEY)


def told(badge_id: str) -> set[str]:
    """What AlternativeUserID says of the person, in every message."""
    entry = naming(badge_id).entry(ENTRY)
    return {
        participant.alternative_user_id
        for message in entry.messages
        for participant in message.participants
        if participant.user_id == RADIOLOGIST.user_id
    }


def test_the_uid_stands_on_every_message_with_what_proved_more_beside_it() -> None:
    assert told("uid") == {f"uid:{UID};{FINGERPRINT}"}
    assert naming("uid").entry(ENTRY) is ENTRY


def test_a_token_stands_in_the_uids_place_and_the_uid_nowhere() -> None:
    (said,) = told("token")
    token, proved = said.split(";")
    assert token == TOKEN
    assert proved == FINGERPRINT
    body = encode_body(naming("token").entry(ENTRY), ManualClock().now(), SOURCE)
    assert UID.encode() not in body
    assert UID.lower().encode() not in body


def test_both_stand_there_in_order() -> None:
    assert told("both") == {f"uid:{UID};{naming('both').token(UID)};{FINGERPRINT}"}


@pytest.mark.parametrize("badge_id", ["uid", "token", "both"])
def test_naming_twice_is_naming_once(badge_id: str) -> None:
    once = naming(badge_id).entry(ENTRY)
    assert naming(badge_id).entry(once) == once
    assert once.actor.badge == tuple(next(iter(told(badge_id))).split(";"))


def test_a_site_gives_one_badge_one_token_and_another_site_another() -> None:
    assert BadgeNaming(BadgeId.TOKEN, KEY).token(UID) == naming("both").token(UID)
    assert BadgeNaming(BadgeId.TOKEN, KEY[::-1]).token(UID) != naming("both").token(UID)
    assert naming("token").token("04A1B2C3D4E5F7") != naming("token").token(UID)


def test_ae_titles_and_people_without_a_badge_stay_as_they_are() -> None:
    messages = events.application_started(Who("unix:alice"), Node("KIOSK7"))
    entry = Entry("start", "a2", Phase.OUTCOME, Actor("unix", "unix:alice", ""), "Start", Outcome.SUCCESS, messages)
    assert naming("token").entry(entry) == entry


def test_a_token_needs_a_key_and_the_key_is_not_shown() -> None:
    for badge_id in (BadgeId.TOKEN, BadgeId.BOTH):
        with pytest.raises(ValueError, match="32 octets"):
            BadgeNaming(badge_id)
    assert repr(KEY) not in repr(BadgeNaming(BadgeId.TOKEN, KEY))


@pytest.mark.parametrize("asked", [UID, f"uid:{UID}", UID.lower(), "04:A1:B2:C3:D4:E5:F6"])
def test_a_badge_that_is_asked_for_by_its_uid_is_found_under_its_token(asked: str) -> None:
    assert naming("token").also(asked) == TOKEN
    assert naming("both").also(asked) == naming("uid").also(asked) == ""


@pytest.mark.parametrize("asked", ["", TOKEN, FINGERPRINT, "04A", "Anna", "ü4A1"])
def test_what_is_no_uid_has_no_token(asked: str) -> None:
    assert naming("token").also(asked) == ""
