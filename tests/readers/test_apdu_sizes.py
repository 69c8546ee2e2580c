"""Readers with short APDUs only (an ACR122U takes 261 bytes), readers with extended ones, and every scheme on both."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from readers.apdu import Command, Response
from readers.credentials.claim import Assurance, Claim, CredentialScheme
from readers.credentials.emv import EmvScheme
from readers.credentials.emv_keys import StoredIdentifierKey
from readers.credentials.keys import RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.piv import PivScheme
from readers.credentials.pkoc import PkocScheme
from readers.errors import TransmitFailed
from readers.pcsc import open_spec
from readers.pcsc_calls import UNSUPPORTED_FEATURE, Connected
from readers.pcsc_reader import PcscReader
from readers.reader import CardPresented, Reader
from readers.registry import open_reader
from readers.virtual import desfire_card, ntag424_card
from readers.virtual.card import VirtualCard
from readers.virtual.emv_card import EmvCard
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.pn532_uart import Pn532Uart
from tests.pcscd import PcscWithVpcd
from tests.readers.cards import EchoCard, ManualClock, presented
from tests.readers.credentials.aes_cards import (
    APPLICATION,
    IDENTITY,
    SITE_KEYS,
    SUN_TAG,
    TAG_KEYS,
    TEMPLATE,
    UID,
    desfire_scheme,
    ntag424_scheme,
)
from tests.readers.credentials.piv_cards import KEYS, PivSite
from tests.readers.credentials.test_emv import NUMBER, Keys
from tests.readers.test_pcsc_reader import ScriptedCalls

SHORT_COMMAND, SHORT_RESPONSE = 261, 258
PATIENCE = 60.0
KINDS = ["pkoc", "piv-ec", "piv-rsa", "desfire", "ntag424", "emv"]
Scheme = tuple[CredentialScheme, VirtualCard]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> PivSite:
    return PivSite(tmp_path_factory.mktemp("site"))


@pytest.fixture(params=KINDS)
def scheme(request: pytest.FixtureRequest, site: PivSite) -> Scheme:
    """A scheme and a card of its."""
    nonces, kind, still = RandomNonceSource(), request.param, ManualClock()
    if kind.startswith("piv"):
        key = next(KEYS[name] for name in KEYS if name.lower().startswith("rsa") is (kind == "piv-rsa"))
        return PivScheme(site.site, nonces, still), site.card(key)
    if kind == "desfire":
        return desfire_scheme(), desfire_card.issue(APPLICATION, UID, IDENTITY, SITE_KEYS)
    if kind == "ntag424":
        return ntag424_scheme(), ntag424_card.issue(UID, SITE_KEYS, TAG_KEYS, SUN_TAG, TEMPLATE)
    if kind == "emv":
        return EmvScheme(StoredIdentifierKey(Keys())), EmvCard(NUMBER)
    return PkocScheme(nonces, still), PkocPhone.generate()


class ShortReader:
    """What a reader without extended APDUs lets through of a card; it notes the longest of each."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card
        self.longest_command = self.longest_response = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._card, name)

    def exchange(self, raw: bytes) -> bytes:
        self.longest_command = max(self.longest_command, len(raw))
        assert len(raw) <= SHORT_COMMAND, "libccid would refuse it"
        answer = self._card.exchange(raw)
        self.longest_response = max(self.longest_response, len(answer))
        return answer


def connected_to(reader: Reader) -> CardPresented:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in reader.wait(1.0):
            if isinstance(event, CardPresented):
                return event
    pytest.fail("the card was not seen")


def test_every_scheme_works_where_only_short_apdus_pass(scheme: Scheme) -> None:
    kind, card = scheme
    short = ShortReader(card)
    with presented(short) as connected:  # type: ignore[arg-type]  # it passes everything else on
        claim = Ladder([kind], ManualClock()).identify(connected)
    assert isinstance(claim, Claim)
    assert short.longest_command > 0
    assert short.longest_response <= SHORT_RESPONSE


def test_every_scheme_works_on_a_serial_pn532(scheme: Scheme, tmp_path: Path) -> None:
    kind, card = scheme
    with Pn532Uart(tmp_path) as chip:
        reader = open_reader(chip.spec)
        reader.open()
        with closing(reader):
            chip.insert(card)
            with reader.connect(connected_to(reader)) as connected:
                claim = Ladder([kind], ManualClock()).identify(connected)
    assert isinstance(claim, Claim)
    assert claim.assurance is (Assurance.IDENTIFIER if claim.kind == "emv" else Assurance.AUTHENTICATED)


@pytest.fixture
def opened(pcsc_with_vpcd: PcscWithVpcd) -> Iterator[PcscReader]:
    reader = open_spec(pcsc_with_vpcd.spec.partition(":")[2])
    reader.open()
    with closing(reader):
        yield reader


@pytest.mark.parametrize("size", [255, 256, 1000, 2000])
def test_extended_apdus_pass_whole_where_the_reader_takes_them(
    opened: PcscReader, pcsc_with_vpcd: PcscWithVpcd, size: int
) -> None:
    command = Command(0x00, 0xC2, 0x00, 0x00, bytes(range(256)) * 8, 0) if size == 2000 else None
    command = command or Command(0x00, 0xC2, 0x00, 0x00, bytes(size), 0)
    pcsc_with_vpcd.insert(EchoCard())
    with opened.connect(connected_to(opened)) as card:
        assert card.transmit(command) == Response(bytes(command), 0x9000)


def test_a_reader_without_extended_apdus_says_so_and_the_card_stays() -> None:
    class Short(ScriptedCalls):
        def transmit(self, card: Connected, command: bytes) -> tuple[int, bytes]:
            if len(command) > SHORT_COMMAND:
                return UNSUPPORTED_FEATURE, b""
            return super().transmit(card, command)

    reader = PcscReader(Short())
    reader.open()
    with closing(reader), reader.connect(connected_to(reader)) as card:
        with pytest.raises(TransmitFailed, match="does not take this command"):
            card.transmit(Command(0x00, 0xC2, 0x00, 0x00, bytes(256)))
        assert card.transmit(Command(0x00, 0xC2, 0x00, 0x00, bytes(255)))
