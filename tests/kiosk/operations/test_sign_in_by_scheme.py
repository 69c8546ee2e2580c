"""Every scheme's way from the reader to a session, and every refusal's way to the lock screen and into the trail."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

import readers.credentials
from kiosk.access.ladder import key_folder, ladder_settings, site_keys
from kiosk.audit import Outcome, verify
from kiosk.config.credentials import CredentialsConfig
from kiosk.database.engine import open_database
from kiosk.database.transaction import writing
from kiosk.demo.site import CARD_NUMBER, DESFIRE_BADGE, NTAG424_TAG, PIV_CARD, SUN_TAG, SUN_UID, WALLET
from kiosk.demo.staff import AUDITOR_BADGE, RADIOLOGIST_BADGE, RADIOLOGIST_PHONE
from kiosk.operations.facts import AccessDenied, PinAsked, SessionOpened
from readers.credentials import pkoc
from readers.credentials.claim import Refusal, RefusalReason
from readers.uid import Uid
from readers.virtual import desfire_card, emv_card, ntag424_card, piv_card, pkoc_phone
from readers.virtual.card import VirtualCard
from readers.virtual.faults import Fault
from readers.virtual.piv_authority import PivAuthority
from readers.virtual.uid_card import UidCard
from tests.kiosk.operations.entrance import Entrance, entrance, with_sun

UID = Uid.from_hex("04A1B2C3D4E580")
KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    with entrance(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture(scope="module")
def sun_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    with entrance(tmp_path_factory.mktemp("state"), with_sun) as made:
        yield made


PROVING = {
    RADIOLOGIST_PHONE: ("y.tanaka", "pkoc:", "phone"),
    PIV_CARD: ("y.tanaka", "piv:", "card"),
    DESFIRE_BADGE: ("a.weber", "desfire:", "badge"),
    NTAG424_TAG: ("m.okafor", "ntag424:", "tag"),
}


@pytest.mark.parametrize("card", PROVING)
def test_who_proves_a_key_gives_the_pin_once_in_a_shift(door: Entrance, card: str) -> None:
    person, token, word = PROVING[card]
    opened = door.enter_pin(door.tap(card))
    assert (opened.person.user_id, opened.badge.word) == (person, word)
    door.sign_out(opened)
    again = door.tap(card)
    assert isinstance(again, SessionOpened)
    assert again.person.user_id == person
    last = door.outcomes()[-1]
    assert last.summary == "Signed in; the PIN was given earlier in this shift"
    assert last.actor.user_id == person
    assert [part.partition(":")[0] + ":" for part in last.actor.badge] == ["uid:", token]
    (message,) = last.messages
    assert message.participants[0].alternative_user_id == ";".join(last.actor.badge)
    door.sign_out(again)


@pytest.mark.parametrize("card", [RADIOLOGIST_BADGE, AUDITOR_BADGE, WALLET])
def test_who_only_shows_a_number_gives_the_pin_every_time(door: Entrance, card: str) -> None:
    for _tap in range(2):
        opened = door.enter_pin(door.tap(card))
        door.sign_out(opened)
    badge = door.outcomes("enter_pin")[-1].actor.badge
    assert len(badge) == (2 if card == WALLET else 1)


def test_a_tag_that_is_read_gives_the_pin_every_time_and_each_message_once(sun_door: Entrance) -> None:
    for _tap in range(2):
        opened = sun_door.enter_pin(sun_door.tap(SUN_TAG))
        assert opened.person.user_id == "m.okafor"
        sun_door.sign_out(opened)
    assert (
        sun_door.refused(_sun_tag(sun_door)) == "This tag's message was used before. Take the tag away and tap again."
    )
    assert sun_door.outcomes()[-1].summary == "Refused: ntag424-sun, replayed"


def test_what_was_signed_at_the_taps_is_checked_again(door: Entrance) -> None:
    for card in (PIV_CARD, RADIOLOGIST_PHONE):
        heard = door.tap(card)
        door.sign_out(heard if isinstance(heard, SessionOpened) else door.enter_pin(heard))
    found = verify(door.trail.path)
    assert found.whole, found.sentence
    assert found.proofs >= 2
    assert found.unknown_proofs == 0


def _sun_tag(door: Entrance) -> VirtualCard:
    """The same tag as it was at its first read: what a recording of it says."""
    sun = ladder_settings(door.premises.config.credentials).sun
    assert sun is not None
    keys = site_keys(door.premises.config)
    named = {name: keys.shared(name) for name in (sun.meta_key, sun.file_key)}
    return ntag424_card.issue(SUN_UID, named, sun=sun, template=b"0" * sun.layout.size)


def _desfire(door: Entrance, fault: Fault = Fault.NONE) -> VirtualCard:
    application = ladder_settings(door.premises.config.credentials).desfire
    assert application is not None
    keys = site_keys(door.premises.config)
    named = {name: keys.shared(name) for name in (application.read_key, application.uid_key)}
    return desfire_card.issue(application, UID, bytes(application.file_size), named, fault=fault)


def _piv(_: Entrance) -> VirtualCard:
    stranger = PivAuthority("Somebody else")
    return piv_card.PivCard(KEY, stranger.issue(KEY.public_key()), UID)


REFUSED: dict[RefusalReason, tuple[str, Callable[[Entrance], VirtualCard]]] = {
    RefusalReason.RANDOM_UID: ("iso14443", lambda _: UidCard(Uid.from_hex("08112233"), takes_apdus=True)),
    RefusalReason.INVALID_UID: ("iso14443", lambda _: UidCard(Uid.from_hex("00000000"))),
    RefusalReason.PROOF_FAILED: ("desfire", lambda door: _desfire(door, Fault.WRONG_KEY)),
    RefusalReason.CARD_GONE: ("desfire", lambda door: _desfire(door, Fault.DROPPED)),
    RefusalReason.MISBEHAVED: ("pkoc", lambda _: pkoc_phone.PkocPhone.generate(Fault.RANDOM_LENGTHS)),
    RefusalReason.TOO_SLOW: ("pkoc", lambda _: pkoc_phone.PkocPhone.generate(Fault.SLOW)),
    RefusalReason.UNKNOWN_ISSUER: ("piv", _piv),
    RefusalReason.NOT_READY: ("emv", lambda _: emv_card.EmvCard(CARD_NUMBER, fault=Fault.LOCKED)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_card_that_is_refused_opens_nothing_and_its_reason_is_on_record(
    door: Entrance, reason: RefusalReason
) -> None:
    scheme, make = REFUSED[reason]
    assert door.refused(make(door)) in _sentences()[reason]
    _assert_recorded(door, f"Refused: {scheme}, {reason.value.replace('_', ' ')}")


def test_a_key_that_goes_missing_while_the_kiosk_runs_refuses_its_cards(door: Entrance) -> None:
    card = _desfire(door)
    path = key_folder(door.premises.config) / "desfire-read.key"
    content = path.read_text()
    path.unlink()
    try:
        sentence = door.refused(card)
    finally:
        path.write_text(content)
        path.chmod(0o600)
    assert sentence in _sentences()[RefusalReason.KEY_MISSING]
    _assert_recorded(door, "Refused: desfire, key missing")


def test_where_only_proofs_count_a_badge_is_told_so(tmp_path: Path) -> None:
    def proofs_only(table: CredentialsConfig) -> CredentialsConfig:
        return replace(table, iso14443=replace(table.iso14443, enabled=False))

    with entrance(tmp_path, proofs_only) as door:
        assert door.refused(RADIOLOGIST_BADGE) in _sentences()[RefusalReason.NO_PROOF]
        _assert_recorded(door, "Refused: iso14443, no proof")
        assert isinstance(door.tap(DESFIRE_BADGE), PinAsked)


def test_a_counter_that_cannot_be_kept_opens_nothing(sun_door: Entrance) -> None:
    engine = open_database(f"sqlite:///{sun_door.premises.directory_path}")
    with writing(engine) as connection:
        connection.execute(text("ALTER TABLE tap_counter RENAME TO elsewhere"))
    try:
        sentence = sun_door.refused(SUN_TAG)
    finally:
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO tap_counter"))
        engine.dispose()
    assert sentence in _sentences()[RefusalReason.COUNTER_UNAVAILABLE]
    _assert_recorded(sun_door, "Refused: ntag424-sun, counter unavailable")


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_reason_there_is_has_words_of_its_own_on_screen_and_record(door: Entrance, reason: RefusalReason) -> None:
    said = f"Because of {reason.name}."
    door.door.present(Refusal(reason, said, "piv", UID))
    assert door.facts[-1] == AccessDenied(said)
    _assert_recorded(door, f"Refused: piv, {reason.value.replace('_', ' ')}")


def test_no_two_reasons_share_a_sentence() -> None:
    found = _sentences()
    assert found.keys() >= set(RefusalReason)
    owners: dict[str, set[RefusalReason]] = {}
    for reason, sentences in found.items():
        for sentence in sentences:
            owners.setdefault(sentence, set()).add(reason)
    assert {sentence: reasons for sentence, reasons in owners.items() if len(reasons) > 1} == {}


def test_no_secret_of_a_card_is_on_record(door: Entrance) -> None:
    keys = site_keys(door.premises.config)
    secrets = [keys.shared(name).hex() for name in ("desfire-read", "desfire-uid", "ntag424", "emv")]
    told = "".join(path.read_bytes().decode("latin-1") for path in door.trail.path.parent.glob("trail.db*"))
    for secret in (*secrets, CARD_NUMBER):
        assert secret not in told.lower()


def _assert_recorded(door: Entrance, summary: str) -> None:
    """A failed login (PS3.15 A.5.3.12) by nobody known, with the UID and nothing else of the card."""
    entry = door.outcomes()[-1]
    assert (entry.summary, entry.outcome, entry.actor.user_id) == (summary, Outcome.SERIOUS, "unknown")
    assert entry.proof is None
    (message,) = entry.messages
    assert message.outcome is Outcome.SERIOUS
    assert message.outcome_description == summary
    assert [token.partition(":")[0] for token in entry.actor.badge] in ([], ["uid"])


def _sentences() -> dict[RefusalReason, set[str]]:
    """What each reason is told in, by whichever scheme."""
    found = {RefusalReason.MISBEHAVED: {pkoc.NONSENSE}, RefusalReason.PROOF_FAILED: {pkoc.PROOF_FAILED}}
    for module in pkgutil.iter_modules(readers.credentials.__path__):
        loaded = importlib.import_module(f"readers.credentials.{module.name}")
        for reason, sentence in getattr(loaded, "SENTENCES", {}).items():
            if isinstance(reason, RefusalReason):
                found.setdefault(reason, set()).add(sentence)
    return found
