"""One ladder for all that a site may enable: each card meets its scheme, strongest first, and nothing that is off."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.counters import MemoryCounters
from readers.credentials.ladder import Ladder
from readers.credentials.standard import PLAIN, LadderSettings, LadderSources, PivSettings, standard_ladder
from readers.errors import ReaderError
from readers.reader import Card
from readers.uid import Uid
from readers.virtual import desfire_card, ntag424_card
from readers.virtual.card import VirtualCard
from readers.virtual.emv_card import EmvCard, Profile
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, ManualClock, RecordedNonces, presented
from tests.readers.credentials.aes_cards import (
    APPLICATION,
    IDENTITY,
    SITE_KEYS,
    SUN_TAG,
    TAG_KEYS,
    TEMPLATE,
    UID,
    MemoryKeys,
)
from tests.readers.credentials.piv_cards import NOW, PivSite

KEYS = MemoryKeys(SITE_KEYS | {"emv": bytes(range(16))})
NUMBER = "4111111111111111"


def now() -> datetime:
    return NOW


def sources() -> LadderSources:
    return LadderSources(RecordedNonces(), KEYS, MemoryCounters(), ManualClock(), now)


def identified(ladder: Ladder, card: VirtualCard) -> Claim | Refusal:
    with presented(card) as laid:
        return ladder.identify(laid)


def kind(outcome: Claim | Refusal) -> str:
    assert isinstance(outcome, Claim), outcome
    return outcome.kind


@pytest.fixture
def site(tmp_path: Path) -> PivSite:
    return PivSite(tmp_path)


@pytest.fixture
def everything(site: PivSite) -> LadderSettings:
    return LadderSettings(
        piv=PivSettings(site.certificates), desfire=APPLICATION, ntag424=TAG_KEYS, sun=SUN_TAG, emv_key="emv"
    )


def cards(site: PivSite) -> dict[str, VirtualCard]:
    return {
        "pkoc": PkocPhone.generate(),
        "piv": site.card(),
        "desfire": desfire_card.issue(APPLICATION, UID, IDENTITY, SITE_KEYS, random_uid=True),
        "ntag424": ntag424_card.issue(UID, SITE_KEYS, TAG_KEYS),
        "emv": EmvCard(NUMBER, Profile.WALLET),
        "iso14443": UidCard(FIXED_UID),
    }


def test_the_order_is_that_of_the_settings_own_list(everything: LadderSettings) -> None:
    ladder = standard_ladder(everything, sources())
    kinds = tuple(scheme.kind for scheme in ladder.schemes)
    assert kinds == everything.schemes == ("pkoc", "piv", "desfire", "ntag424", "ntag424-sun", "emv", "iso14443")
    strengths = [scheme.assurance for scheme in ladder.schemes]
    assert strengths == sorted(strengths, reverse=True)


def test_every_card_is_known_by_the_best_that_it_can_do(everything: LadderSettings, site: PivSite) -> None:
    ladder = standard_ladder(everything, sources())
    for name, card in cards(site).items():
        assert kind(identified(ladder, card)) == name


def test_a_tag_with_a_message_is_known_by_it_where_tags_are_not_challenged(everything: LadderSettings) -> None:
    ladder = standard_ladder(replace(everything, ntag424=None), sources())
    tag = ntag424_card.issue(UID, SITE_KEYS, sun=SUN_TAG, template=TEMPLATE)
    assert kind(identified(ladder, tag)) == "ntag424-sun"


def test_what_is_off_is_not_asked_for(site: PivSite) -> None:
    for name, card in cards(site).items():
        outcome = identified(standard_ladder(PLAIN, sources()), card)
        if name == "pkoc":
            assert kind(outcome) == "pkoc"
        elif isinstance(outcome, Claim):
            assert (outcome.kind, outcome.assurance) == ("iso14443", Assurance.IDENTIFIER)
        else:
            assert outcome.reason is RefusalReason.RANDOM_UID
    without = standard_ladder(replace(PLAIN, pkoc=None), sources())
    assert isinstance(identified(without, PkocPhone.generate()), Refusal)


@pytest.mark.parametrize("uid", [FIXED_UID, Uid.from_hex("08112233")])
def test_a_site_that_wants_proofs_takes_no_number_and_says_so(uid: Uid) -> None:
    ladder = standard_ladder(replace(PLAIN, takes_uids=False), sources())
    refusal = identified(ladder, UidCard(uid, takes_apdus=True))
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.uid) == (RefusalReason.NO_PROOF, uid)
    assert "proves itself" in refusal.sentence
    assert kind(identified(ladder, PkocPhone.generate())) == "pkoc"


class BothDesfireAndNfcTag:
    """A DESFire whose other application is an NFC Forum tag's, with a key that is nobody's here."""

    def __init__(self) -> None:
        self._desfire = desfire_card.issue(APPLICATION, UID, IDENTITY, SITE_KEYS)
        self._tag = ntag424_card.Ntag424Card(UID, {1: bytes(16)})
        self._current: VirtualCard = self._desfire
        self.uid, self.atr, self.ats_historical = UID, self._desfire.atr, self._desfire.ats_historical
        self.takes_apdus = True

    def power_on(self) -> None:
        self._desfire.power_on()
        self._tag.power_on()

    def exchange(self, raw: bytes) -> bytes:
        if raw[:2] == bytes.fromhex("905A"):
            self._current = self._desfire
        elif raw[1] == 0xA4:
            self._current = self._tag
        return self._current.exchange(raw)


def test_a_desfire_that_is_a_tag_as_well_is_asked_as_a_desfire(everything: LadderSettings) -> None:
    assert kind(identified(standard_ladder(everything, sources()), BothDesfireAndNfcTag())) == "desfire"
    refused = identified(standard_ladder(replace(everything, desfire=None), sources()), BothDesfireAndNfcTag())
    assert isinstance(refused, Refusal)
    assert refused.scheme == "ntag424"


def test_a_scheme_without_its_key_refuses_its_cards(everything: LadderSettings, site: PivSite) -> None:
    ladder = standard_ladder(everything, replace(sources(), keys=MemoryKeys({})))
    for name in ("desfire", "ntag424", "emv"):
        refusal = identified(ladder, cards(site)[name])
        assert isinstance(refusal, Refusal)
        assert (refusal.scheme, refusal.reason) == (name, RefusalReason.KEY_MISSING)


def test_an_authority_that_cannot_be_read_makes_no_ladder(tmp_path: Path) -> None:
    for setting in (PivSettings(tmp_path / "nowhere"), PivSettings(tmp_path)):
        with pytest.raises(ReaderError, match=str(tmp_path)):
            standard_ladder(LadderSettings(piv=setting), sources())


def test_authorities_may_lie_in_a_folder(tmp_path: Path, site: PivSite) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir(mode=0o755)
    site.certificates.rename(folder / "cards.crt")
    (folder / "README").write_text("not a certificate")
    ladder = standard_ladder(LadderSettings(piv=PivSettings(folder)), sources())
    assert kind(identified(ladder, site.card())) == "piv"
    (folder / "cards.crt").chmod(0o666)
    with pytest.raises(ReaderError, match="anybody may change it"):
        standard_ladder(LadderSettings(piv=PivSettings(folder)), sources())


def test_without_settings_it_is_pkoc_and_the_uid() -> None:
    ladder = standard_ladder()
    assert tuple(scheme.kind for scheme in ladder.schemes) == ("pkoc", "iso14443")
    card: Card
    with presented(UidCard(FIXED_UID)) as card:
        assert kind(ladder.identify(card)) == "iso14443"
