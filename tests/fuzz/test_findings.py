"""What the fuzzers found, each with its input: none of it may come back."""

from pathlib import Path
from types import CodeType, FunctionType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from readers import control
from readers.apdu import Response
from readers.credentials.certificates import CertificateFault
from readers.credentials.claim import Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.errors import ReaderError, ReaderSpecError
from readers.tlv import build
from readers.virtual.deck import Deck
from readers.virtual.ntag424_card import issue
from readers.virtual.recorded_card import Replay
from readers.virtual.scenario import Scenario
from tests.fuzz.climb import shows
from tests.fuzz.meddling import MeddledCard, Script, Step
from tests.fuzz.targets import target
from tests.readers.cards import ManualClock, ScriptedCard
from tests.readers.credentials.aes_cards import (
    SITE_KEYS,
    SUN_TAG,
    TAG_KEYS,
    TEMPLATE,
    UID,
    ntag424_scheme,
    sun_scheme,
)
from tests.readers.credentials.piv_cards import P256, PivSite

FAR = "9" * 400
TOO_LONG = "9" * 5000
DEEP = "[" * 3000
PIV_SELECTED = build(0x61, build(0x4F, bytes.fromhex("000010000100")))
STEP = '[[card]]\nname = "b"\nkind = "uid"\nuid = "04A1B2C3"\n[[step]]\ncard = "b"\nat = '


def data_object(certificate: bytes, version: int) -> bytes:
    """As a PIV card gives it, with another version: an integer in the first field of the certificate's body."""
    changed = certificate.replace(bytes.fromhex("A003020102"), bytes.fromhex("A0030201") + bytes((version,)), 1)
    return build(0x53, build(0x70, changed) + build(0x71, b"\x00"))


@pytest.mark.parametrize("number", [FAR, TOO_LONG, DEEP, "1e999", "-1"])
def test_a_recording_from_no_time_is_refused_in_words(tmp_path: Path, number: str) -> None:
    path = tmp_path / "recording"
    path.write_text('{"recording": 1}\n{"at": ' + number + ', "event": "unavailable"}\n')
    with pytest.raises(ReaderSpecError, match="recording: line 2"):
        Replay.load(path)


@pytest.mark.parametrize(
    ("number", "why"), [(FAR, "seconds"), (TOO_LONG, "TOML"), (DEEP, "TOML"), ("nan", "seconds"), ("inf", "seconds")]
)
def test_a_scenario_with_an_impossible_number_is_refused_in_words(tmp_path: Path, number: str, why: str) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(STEP + number + "\n")
    with pytest.raises(ReaderSpecError, match=why):
        Scenario.load(path)


def test_a_scenario_whose_deck_has_an_impossible_name_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('deck = "a\\u0000b"\n')
    with pytest.raises(ReaderSpecError, match="name of a file"):
        Scenario.load(path)


@pytest.mark.parametrize("value", [TOO_LONG, DEEP])
def test_a_deck_that_goes_too_far_is_refused_in_words(tmp_path: Path, value: str) -> None:
    path = tmp_path / "deck.toml"
    path.write_text(f"card = {value}\n")
    with pytest.raises(ReaderSpecError, match="not TOML"):
        Deck.load(path)


@pytest.mark.parametrize("line", [DEEP.encode(), b'{"ok": true, "cards": [7]}', b'{"ok": true, "cards": {}}', b"\xff"])
def test_a_false_simulated_reader_is_not_understood(line: bytes) -> None:
    with pytest.raises(ReaderError, match="no sensible answer"):
        control._listed(control._agreed(line))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("files", b'{"recording": 1}\n{"at": ' + FAR.encode() + b', "event": "unavailable"}\n'),
        ("files", (STEP + FAR).encode()),
        ("files", (STEP + DEEP).encode()),
        ("ladder", bytes.fromhex("0300000000000000056a82")),
        ("control", DEEP.encode() + b"\n"),
        ("control", b'{"ok": true, "cards": [7]}\n'),
    ],
)
def test_what_was_found_is_found_no_more(name: str, found: bytes) -> None:
    target(name).check(found)


def test_a_certificate_of_an_impossible_version_is_refused_by_name(tmp_path: Path) -> None:
    site = PivSite(tmp_path)
    encoded = site.authority.issue(P256.public_key()).public_bytes(Encoding.DER)
    card = ScriptedCard([Response(value, 0x9000) for value in (PIV_SELECTED, data_object(encoded, version=95))])
    refusal = Ladder([site.scheme(), UidScheme()], ManualClock()).identify(card)
    assert isinstance(refusal, Refusal)
    assert (refusal.scheme, refusal.reason) == ("piv", RefusalReason.MISBEHAVED)


@pytest.mark.parametrize("version", [0, 2, 95])
def test_a_revocation_list_of_an_impossible_version_knows_nothing(tmp_path: Path, version: int) -> None:
    site = PivSite(tmp_path, lists=True)
    certificate = site.authority.issue(P256.public_key())
    assert site.site.judge(certificate) is None
    listed = x509.load_pem_x509_crl(site.authority.revocation_list()).public_bytes(Encoding.DER)
    site.revoked.write_bytes(listed.replace(b"\x02\x01\x01", bytes((0x02, 0x01, version)), 1))
    assert site.site.judge(certificate) is CertificateFault.REVOCATION_UNKNOWN
    with pytest.raises(ReaderError, match="not a revocation list"):
        site.site.open()


@pytest.mark.parametrize("name", [b"\x0c\x13T\xc4st card", b"\x03\x13Test card"], ids=["no-utf-8", "bit-string"])
def test_a_revocation_list_by_an_unreadable_name_knows_nothing(tmp_path: Path, name: bytes) -> None:
    site = PivSite(tmp_path, lists=True)
    certificate = site.authority.issue(P256.public_key())
    listed = x509.load_pem_x509_crl(site.authority.revocation_list()).public_bytes(Encoding.DER)
    assert listed.count(b"\x0c\x13Test card") == 1
    site.revoked.write_bytes(listed.replace(b"\x0c\x13Test card", name))
    assert site.site.judge(certificate) is CertificateFault.REVOCATION_UNKNOWN
    with pytest.raises(ReaderError, match="not a revocation list"):
        site.site.open()


@pytest.mark.parametrize("status", ["911C", "6A82", "6D00"])
def test_a_tag_that_knew_the_challenge_a_moment_ago_does_not_pass_for_another_card(status: str) -> None:
    tag, clock = issue(UID, SITE_KEYS, TAG_KEYS, SUN_TAG, TEMPLATE, random_uid=True), ManualClock()
    hidden_uid_told = bytes((Step.PASS,) * 4)  # SELECT, both frames of the authentication, GetCardUID
    card = MeddledCard(Script(hidden_uid_told + bytes((Step.STATUS,)) + bytes.fromhex(status)), tag, None, clock)
    refusal = Ladder([ntag424_scheme(), sun_scheme(), UidScheme()], clock).identify(card)
    assert isinstance(refusal, Refusal)
    assert (refusal.scheme, refusal.reason) == ("ntag424", RefusalReason.PROOF_FAILED)


def test_a_secret_in_a_local_variable_of_the_library_would_be_found() -> None:
    secret = bytes.fromhex("4929683127450918")

    def fall(account: bytes) -> None:
        raise ReaderError("no number here")

    code: CodeType = fall.__code__
    ours = FunctionType(code, {"__name__": "readers.planted", "ReaderError": ReaderError})
    for function, is_seen in ((ours, True), (fall, False)):
        with pytest.raises(ReaderError) as raised:
            function(b"--" + secret)
        assert shows(raised.value, secret) is is_seen
