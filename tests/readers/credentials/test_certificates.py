import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from readers.credentials.certificates import CertificateFault, SiteAuthority
from readers.errors import ReaderError
from readers.virtual.piv_authority import FROM, SERVER, PivAuthority
from tests.readers.credentials.piv_cards import NOW, P256, PivSite

KEY = P256.public_key()


def test_a_certificate_of_the_site_counts(tmp_path: Path) -> None:
    site = PivSite(tmp_path)
    assert site.site.judge(site.authority.issue(KEY)) is None


def test_a_certificate_counts_from_its_first_second_to_its_last(tmp_path: Path) -> None:
    site = PivSite(tmp_path)
    certificate = site.authority.issue(KEY, not_before=NOW, not_after=NOW + timedelta(hours=1))
    for moment, fault in [
        (NOW - timedelta(seconds=1), CertificateFault.NOT_YET_VALID),
        (NOW, None),
        (NOW + timedelta(hours=1), None),
        (NOW + timedelta(hours=1, seconds=1), CertificateFault.EXPIRED),
    ]:
        site.time = moment
        assert site.site.judge(certificate) is fault


def test_an_authority_of_the_same_name_with_another_key_is_unknown(tmp_path: Path) -> None:
    assert PivSite(tmp_path).site.judge(PivAuthority().issue(KEY)) is CertificateFault.UNKNOWN_ISSUER


def test_an_authority_of_another_name_is_unknown(tmp_path: Path) -> None:
    assert PivSite(tmp_path).site.judge(PivAuthority("Other").issue(KEY)) is CertificateFault.UNKNOWN_ISSUER


def test_a_changed_certificate_is_unknown(tmp_path: Path) -> None:
    site = PivSite(tmp_path)
    encoded = bytearray(site.authority.issue(KEY).public_bytes(Encoding.DER))
    encoded[-1] ^= 1
    try:
        changed = x509.load_der_x509_certificate(bytes(encoded))
    except ValueError:
        return
    assert site.site.judge(changed) is CertificateFault.UNKNOWN_ISSUER


def test_a_card_cannot_issue_cards(tmp_path: Path) -> None:
    site = PivSite(tmp_path)
    card = site.authority.issue(KEY)
    site.certificates.write_bytes(site.authority.pem + card.public_bytes(Encoding.PEM))
    with pytest.raises(ReaderError, match="may not issue"):
        site.site.open()


def test_an_expired_authority_issues_nothing(tmp_path: Path) -> None:
    site = PivSite(tmp_path, PivAuthority(not_after=NOW + timedelta(days=1)))
    card = site.authority.issue(KEY)
    assert site.site.judge(card) is None
    site.time = NOW + timedelta(days=2)
    assert site.site.judge(card) is CertificateFault.UNKNOWN_ISSUER


def test_an_intermediate_authority_counts_when_the_site_lists_it(tmp_path: Path) -> None:
    root = PivAuthority("Root")
    below = PivAuthority("Below", parent=root)
    site = PivSite(tmp_path, root)
    card = below.issue(KEY)
    assert site.site.judge(card) is CertificateFault.UNKNOWN_ISSUER
    site.certificates.write_bytes(below.pem)
    site.site.open()
    assert site.site.judge(card) is None


@pytest.mark.parametrize("kind", ["authority", "web server", "unknown critical extension", "no digital signature"])
def test_a_certificate_for_something_else_is_unfit(tmp_path: Path, kind: str) -> None:
    site = PivSite(tmp_path)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    kinds: dict[str, Callable[[], x509.Certificate]] = {
        "authority": lambda: site.authority.certificate,
        "web server": lambda: site.authority.issue(KEY, extended_key_usage=SERVER),
        "unknown critical extension": lambda: site.authority.issue(KEY, extensions=[(unknown, True)]),
        "no digital signature": lambda: PivAuthority("Below", parent=site.authority).certificate,
    }
    assert site.site.judge(kinds[kind]()) is CertificateFault.UNFIT


def test_an_unknown_extension_that_is_not_critical_does_no_harm(tmp_path: Path) -> None:
    site = PivSite(tmp_path)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    assert site.site.judge(site.authority.issue(KEY, extensions=[(unknown, False)])) is None


def test_without_extended_key_usage_a_certificate_counts(tmp_path: Path) -> None:
    site = PivSite(tmp_path)
    assert site.site.judge(site.authority.issue(KEY, extended_key_usage=None)) is None


def test_a_revoked_card_is_refused_as_soon_as_the_list_says_so(tmp_path: Path) -> None:
    site = PivSite(tmp_path, lists=True)
    card, other = site.authority.issue(KEY), site.authority.issue(KEY)
    assert site.site.judge(card) is None
    site.revoke(card)
    assert site.site.judge(card) is CertificateFault.REVOKED
    assert site.site.judge(other) is None


def test_a_list_in_der_is_read_too(tmp_path: Path) -> None:
    site = PivSite(tmp_path, lists=True)
    card = site.authority.issue(KEY)
    known = x509.load_pem_x509_crl(site.authority.revocation_list([card]))
    site.revoked.write_bytes(known.public_bytes(Encoding.DER))
    assert site.site.judge(card) is CertificateFault.REVOKED


@pytest.mark.parametrize("change", ["stale", "too new", "of another authority", "forged", "empty", "gone", "delta"])
def test_without_a_current_list_nobody_knows_and_no_card_counts(tmp_path: Path, change: str) -> None:
    site = PivSite(tmp_path, lists=True)
    card = site.authority.issue(KEY)
    lists: dict[str, Callable[[], bytes]] = {
        "stale": lambda: site.authority.revocation_list(next_update=NOW - timedelta(seconds=1)),
        "too new": lambda: site.authority.revocation_list(last_update=NOW + timedelta(days=1)),
        "of another authority": lambda: PivAuthority("Other").revocation_list(),
        "forged": lambda: PivAuthority().revocation_list(),
        "empty": lambda: b"",
        "gone": lambda: b"",
        "delta": lambda: site.authority.revocation_list(extensions=[(x509.DeltaCRLIndicator(1), True)]),
    }
    site.revoked.write_bytes(lists[change]())
    if change == "gone":
        site.revoked.unlink()
    for _again in range(2):
        assert site.site.judge(card) is CertificateFault.REVOCATION_UNKNOWN
    site.revoke()
    assert site.site.judge(card) is None


def test_the_newest_of_several_lists_decides(tmp_path: Path) -> None:
    site = PivSite(tmp_path, lists=True)
    card = site.authority.issue(KEY)
    old = site.authority.revocation_list([card])
    new = site.authority.revocation_list(last_update=FROM + timedelta(days=1))
    site.revoked.write_bytes(new + old)
    assert site.site.judge(card) is None


def test_a_revoked_intermediate_authority_takes_its_cards_along(tmp_path: Path) -> None:
    root = PivAuthority("Root")
    below = PivAuthority("Below", parent=root)
    site = PivSite(tmp_path, below, lists=True)
    card = below.issue(KEY)
    site.revoked.write_bytes(below.revocation_list() + root.revocation_list())
    assert site.site.judge(card) is None
    site.revoked.write_bytes(below.revocation_list() + root.revocation_list([below.certificate]))
    assert site.site.judge(card) is CertificateFault.REVOKED


def test_an_authority_signs_no_further_down_than_it_may(tmp_path: Path) -> None:
    root = PivAuthority("Root", path_length=0)
    below = PivAuthority("Below", parent=root)
    site = PivSite(tmp_path, below, lists=True)
    # Root may sign cards only: Below is there because the site lists it, and Root's word about it does not count.
    site.revoked.write_bytes(below.revocation_list() + root.revocation_list([below.certificate]))
    assert site.site.judge(root.issue(KEY)) is None
    assert site.site.judge(below.issue(KEY)) is None


@pytest.mark.parametrize("content", [b"", b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_that_is_no_certificate_stops_the_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cards.pem"
    path.write_bytes(content)
    with pytest.raises(ReaderError, match="not a PEM file"):
        SiteAuthority(path, lambda: NOW).open()


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="No such file"):
        SiteAuthority(tmp_path / "none.pem", lambda: NOW).open()
    site = PivSite(tmp_path)
    with pytest.raises(ReaderError, match="No such file"):
        SiteAuthority(site.certificates, lambda: NOW, tmp_path / "none.crl").open()


def test_an_authority_that_is_not_open_knows_nobody(tmp_path: Path) -> None:
    site = PivSite(tmp_path)
    closed = SiteAuthority(site.certificates, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert closed.judge(site.authority.issue(KEY)) is CertificateFault.UNKNOWN_ISSUER


def test_a_list_that_keeps_its_size_and_time_but_not_its_file_is_read_again(tmp_path: Path) -> None:
    site = PivSite(tmp_path, lists=True)
    card, other = site.authority.issue(KEY), site.authority.issue(KEY)
    site.revoke(other)
    assert site.site.judge(card) is None
    status = site.revoked.stat()
    replacement = tmp_path / "new.crl"
    replacement.write_bytes(site.authority.revocation_list([card]))
    os.utime(replacement, ns=(status.st_atime_ns, status.st_mtime_ns))
    replacement.replace(site.revoked)
    assert site.site.judge(card) is CertificateFault.REVOKED
