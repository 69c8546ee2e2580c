"""Card verifiable certificates: what is read, what is refused, and whose signature counts."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from readers.credentials.claim import RefusalReason
from readers.credentials.cvc import LARGEST, CardVerifiableCertificate
from readers.credentials.cvc_issuers import CvcIssuers
from readers.errors import ReaderError, TlvError
from readers.tlv import build
from readers.virtual.pkoc_issuer import HOLDER, P256, REFERENCE, PkocIssuer, unpacked
from tests.readers.credentials.pkoc_site import POINT, PkocSite

ISSUER = PkocIssuer()
GOOD = ISSUER.issue(POINT)
P384 = bytes.fromhex("2B81040022")

# Made by hand after PKOC Core 2.0.1, 5: every byte of the frame is written down, the signature is none.
BY_HAND = bytes.fromhex(
    "7F2181D2"
    "7F4E818B"
    "5F290100"
    "4210" + b"01000ELATEC00001".hex() + "7F494D"
    "06082A8648CE3D030107"
    "8641" + POINT.hex() + "5F2010" + b"CARD000000000001".hex() + "5F2506020000010001"
    "5F2406040000010001"
    "5F3740" + "11" * 64
)


@pytest.fixture
def site(tmp_path: Path) -> PkocSite:
    return PkocSite(tmp_path)


def judged(site: PkocSite, certificate: bytes) -> RefusalReason | None:
    return site.issuers.judge(CardVerifiableCertificate.parse(certificate))


def test_a_certificate_is_read_field_by_field() -> None:
    certificate = CardVerifiableCertificate.parse(BY_HAND)
    assert certificate.profile == b"\x00"
    assert certificate.issuer == "01000ELATEC00001"
    assert certificate.holder == b"CARD000000000001"
    assert certificate.curve == P256
    assert certificate.public_key == POINT
    assert (certificate.effective, certificate.expires) == (date(2020, 1, 1), date(2040, 1, 1))
    assert certificate.body == BY_HAND[4:-67]
    assert certificate.signature == b"\x11" * 64


def test_the_issuers_key_verifies_the_whole_body_and_no_other_key_does() -> None:
    certificate = CardVerifiableCertificate.parse(GOOD)
    assert certificate.verify(ISSUER.public_key)
    assert not certificate.verify(PkocIssuer().public_key)
    assert not certificate.verify(POINT)


def test_a_body_whose_length_is_written_long_is_checked_as_it_came(site: PkocSite) -> None:
    body = CardVerifiableCertificate.parse(site.issuer.issue(POINT)).body
    longer = b"\x7f\x4e\x82" + len(body[4:]).to_bytes(2, "big") + body[4:]
    certificate = CardVerifiableCertificate.parse(site.issuer.sign(longer))
    assert certificate.body == longer
    assert site.issuers.judge(certificate) is None


def test_extensions_and_fields_that_nobody_knows_are_left_alone(site: PkocSite) -> None:
    named = build(0x73, build(0x06, bytes.fromhex("2B0601040183D2250801")) + build(0x53, bytes(16)))
    assert judged(site, site.issuer.issue(POINT, extensions=build(0x65, named))) is None
    assert judged(site, site.issuer.issue(POINT, extensions=build(0x65, b"\x73\xff") + build(0x5F50, b"x"))) is None


@pytest.mark.parametrize(
    "instead",
    [
        {"5F29": b""},
        {"42": b""},
        {"42": b"01000TESTISSUER"},
        {"42": b"01000testissuer1"},
        {"42": b"01000TESTISSUER\x00"},
        {"42": "01000TESTISSUÉR".encode()},
        {"7F49": b""},
        {"7F49": b"\x06\x01\x00"},
        {"7F49": b"\x86\x41" + POINT},
        {"7F49": b"\x06\x01\x00\x86\x41" + POINT + b"\x86\x00"},
        {"7F49": b"\x86\x7f"},
        {"5F20": b""},
        {"5F20": HOLDER + b"2"},
        {"5F25": b""},
        {"5F25": b"\x20\x01\x01"},
        {"5F25": b"200101"},
        {"5F24": unpacked(date(2030, 1, 1)) + b"\x00"},
        {"5F24": bytes.fromhex("020001030000")},
        {"5F24": bytes.fromhex("030002020300")},
        {"5F24": bytes.fromhex("03000a000101")},
    ],
)
def test_a_field_that_is_missing_or_misshapen_is_refused(instead: dict[str, bytes]) -> None:
    with pytest.raises(TlvError):
        CardVerifiableCertificate.parse(ISSUER.issue(POINT, instead=instead))


@pytest.mark.parametrize("tag", [0x5F29, 0x42, 0x5F20, 0x5F25, 0x5F24])
def test_a_field_that_is_there_twice_is_refused(tag: int) -> None:
    with pytest.raises(TlvError):
        CardVerifiableCertificate.parse(ISSUER.issue(POINT, extensions=build(tag, bytes(16))))


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\x00",
        b"\x00" + GOOD,
        GOOD + GOOD,
        GOOD[4:],
        build(0x7F21, GOOD[4:-67]),
        build(0x7F21, GOOD[4:] + GOOD[-67:]),
        build(0x7F21, GOOD[-67:] + GOOD[4:-67]),
        build(0x7F21, b"\x00" + GOOD[4:]),
        build(0x7F4E, GOOD[4:]),
        ISSUER.issue(POINT, extensions=build(0x65, bytes(LARGEST))),
    ],
)
def test_what_is_no_certificate_is_refused(encoded: bytes) -> None:
    with pytest.raises(TlvError):
        CardVerifiableCertificate.parse(encoded)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda rest: GOOD[:40] + rest))
def test_no_random_bytes_are_a_certificate_or_another_error(encoded: bytes) -> None:
    with pytest.raises(TlvError):
        CardVerifiableCertificate.parse(encoded)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_is_believed(place: int, change: int) -> None:
    changed = bytearray(GOOD)
    changed[place] ^= change
    try:
        certificate = CardVerifiableCertificate.parse(bytes(changed))
    except TlvError:
        return
    assert not certificate.verify(ISSUER.public_key)


def test_a_certificate_that_its_issuer_stands_behind_is_good(site: PkocSite) -> None:
    assert judged(site, site.issuer.issue(POINT)) is None


def test_an_issuer_without_a_key_here_is_unknown(site: PkocSite) -> None:
    assert judged(site, PkocIssuer("01000SOMEBODY001").issue(POINT)) is RefusalReason.UNKNOWN_ISSUER


def test_somebody_who_takes_the_issuers_name_is_a_forger(site: PkocSite) -> None:
    assert judged(site, PkocIssuer(REFERENCE).issue(POINT)) is RefusalReason.FORGED_CERTIFICATE


def test_a_signature_of_another_size_is_forged(site: PkocSite) -> None:
    good = site.issuer.issue(POINT)
    cut = build(0x7F21, good[4:-67] + build(0x5F37, good[-64:-1]))
    assert judged(site, cut) is RefusalReason.FORGED_CERTIFICATE


@pytest.mark.parametrize(
    "certificate",
    [
        {"profile": b"\x01"},
        {"profile": b"\x00\x00"},
        {"curve": P384},
        {"curve": P256 + b"\x00"},
    ],
)
def test_another_profile_or_curve_is_unfit(site: PkocSite, certificate: dict[str, bytes]) -> None:
    assert judged(site, site.issuer.issue(POINT, **certificate)) is RefusalReason.UNFIT_CERTIFICATE  # type: ignore[arg-type]  # bytes only


@pytest.mark.parametrize(
    "point",
    [
        POINT[:-1] + bytes((POINT[-1] ^ 1,)),
        b"\x04" + bytes(64),
        b"\x00",
        POINT[:-1],
        bytes((2 + (POINT[-1] & 1),)) + POINT[1:33],
        bytes((6 + (POINT[-1] & 1),)) + POINT[1:],
    ],
    ids=["off the curve", "zeros", "infinity", "too short", "compressed", "hybrid"],
)
def test_a_point_off_the_curve_or_in_another_form_is_unfit(site: PkocSite, point: bytes) -> None:
    assert judged(site, site.issuer.issue(point)) is RefusalReason.UNFIT_CERTIFICATE


def test_a_certificate_is_good_from_its_first_day_to_the_end_of_its_last(site: PkocSite) -> None:
    first, last = date(2026, 6, 1), date(2026, 6, 30)
    certificate = site.issuer.issue(POINT, effective=first, expires=last)
    moment = timedelta(microseconds=1)
    start, end = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    expected = {
        start - moment: RefusalReason.NOT_YET_VALID,
        start: None,
        end - moment: None,
        end: RefusalReason.EXPIRED,
    }
    for time, reason in expected.items():
        site.time = time
        assert judged(site, certificate) is reason


def test_one_file_can_be_all_issuers_there_are(tmp_path: Path, site: PkocSite) -> None:
    issuers = CvcIssuers(tmp_path / f"{REFERENCE}.pem", lambda: site.time)
    issuers.open()
    assert issuers.judge(CardVerifiableCertificate.parse(site.issuer.issue(POINT))) is None


def test_a_folder_holds_several_issuers_and_other_files(tmp_path: Path, site: PkocSite) -> None:
    other = PkocIssuer("01000SOMEBODY001")
    other.write(tmp_path)
    (tmp_path / "README").write_text("whose keys these are")
    site.issuers.open()
    assert judged(site, other.issue(POINT)) is None
    assert judged(site, site.issuer.issue(POINT)) is None


P384_KEY = ec.generate_private_key(ec.SECP384R1()).public_key()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("issuer.pem", ISSUER.pem, "16 capitals"),
        ("01000testissuer1.pem", ISSUER.pem, "16 capitals"),
        (f"{REFERENCE}.pem", b"no key", "not a public key"),
        (
            f"{REFERENCE}.pem",
            P384_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "not a key on the curve",
        ),
        ("README", b"no key", "no issuer's key"),
    ],
)
def test_a_folder_that_is_set_up_wrongly_is_told_so(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReaderError, match=said):
        CvcIssuers(tmp_path, lambda: datetime.now(UTC)).open()


def test_a_folder_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="nowhere"):
        CvcIssuers(tmp_path / "nowhere", lambda: datetime.now(UTC)).open()


@pytest.mark.parametrize("name", ["", f"{REFERENCE}.pem"])
def test_a_key_that_anybody_may_change_is_not_trusted(tmp_path: Path, name: str) -> None:
    ISSUER.write(tmp_path)
    (tmp_path / name).chmod(0o777)
    with pytest.raises(ReaderError, match="chmod o-w"):
        CvcIssuers(tmp_path, lambda: datetime.now(UTC)).open()
