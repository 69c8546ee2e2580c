import traceback
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.claim import Assurance, Claim
from readers.credentials.desfire import DesfireScheme, Messaging, authenticate
from readers.credentials.desfire_commands import CARD_LEVEL, CommandRefused, FileRights, file_settings, select
from readers.credentials.desfire_issue import SETTINGS, DesfireIssue
from readers.credentials.desfire_personalise import Step, personalise
from readers.credentials.desfire_state import NotPersonalisable, Unfit, look
from readers.credentials.ev1 import authenticate_des
from readers.credentials.native import ProofFailed
from readers.errors import CardGone, ReaderError
from readers.virtual.card import VirtualCard
from readers.virtual.desfire_card import DesfireCard, Model, blank
from readers.virtual.desfire_memory import DesfireMemory
from readers.virtual.faults import Fault
from readers.virtual.torn_card import TornCard
from tests.readers.cards import ScriptedCard, presented
from tests.readers.credentials.aes_cards import APPLICATION, OTHER_UID, UID, desfire_scheme
from tests.readers.credentials.desfire_blanks import (
    HIDING,
    ISSUE,
    ISSUING_KEYS,
    KEYS,
    MAKES,
    ZERO_AES,
    CountingCard,
    carried_out,
    commands_for,
    image,
    version,
    written,
)

ALL_STEPS = list(Step)


def claim_of(card: VirtualCard, issue: DesfireIssue = ISSUE) -> object:
    with presented(card) as connected:
        return DesfireScheme(issue.application, KEYS).identify(connected)


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("issue", [ISSUE, HIDING], ids=["fixed", "hiding"])
def test_a_blank_becomes_a_card_of_the_site(make: str, issue: DesfireIssue) -> None:
    card = MAKES[make]()
    steps, done = written(card, issue)
    assert steps == [step for step in ALL_STEPS if step is not Step.HIDE_UID or issue.hides_uid]
    assert done.written
    assert (done.claim.kind, done.claim.uid, done.claim.assurance) == ("desfire", UID, Assurance.AUTHENTICATED)
    assert claim_of(card) == done.claim
    assert card.uid.is_random is issue.hides_uid


@pytest.mark.parametrize("make", MAKES)
def test_what_is_on_the_card_is_its_own_and_no_more_than_it_needs(make: str) -> None:
    card = MAKES[make]()
    done = written(card)[1]
    keys = ISSUE.keys_of(UID, KEYS)
    own = card.memory.applications.pop(APPLICATION.identifier)
    assert not card.memory.applications
    assert card.memory.card.keys == {0: keys.card}
    assert card.memory.card.settings == own.settings == SETTINGS
    assert {number: own.keys[number] for number in (0, 2, 3)} == {0: keys.master, 2: keys.read, 3: keys.uid}
    assert own.keys[1] not in (bytes(16), *ISSUING_KEYS.values(), keys.master, keys.read)
    assert set(own.versions.values()) == {1}
    assert len(own.keys) == 4
    file = own.files[1]
    assert (file.read_key_number, file.write_key_number, file.both_key_number, file.change_key_number) == (2, 0, 15, 15)
    assert file.mode == 1
    assert UID.value + file.content == done.claim.subject
    assert len({keys.card, keys.master, keys.read, keys.uid}) == 4
    other = ISSUE.keys_of(OTHER_UID, KEYS)
    assert not {keys.card, keys.master, keys.read} & {other.card, other.master, other.read}
    assert keys.uid == other.uid == ISSUING_KEYS["desfire-uid"]


def test_the_factory_s_keys_open_nothing_any_more() -> None:
    card = blank(UID)
    written(card)
    with presented(card) as connected:
        with pytest.raises(ProofFailed):
            authenticate_des(connected, 0, bytes(8), lambda size: bytes(size))
        for place in (CARD_LEVEL, APPLICATION.identifier):
            select(connected, place)
            for number in range(4):
                with pytest.raises(ProofFailed):
                    authenticate(connected, (Messaging.EV2, Messaging.EV1), number, ZERO_AES, lambda size: bytes(size))


def test_the_identity_is_another_one_on_each_card() -> None:
    first, second = (written(blank(uid))[1].claim.subject for uid in (UID, OTHER_UID))
    assert first[7:] != second[7:]
    assert any(first[7:])


def test_a_finished_card_is_left_as_it_is() -> None:
    for issue in (ISSUE, HIDING):
        card = blank(UID)
        first = written(card, issue)[1]
        before = image(card)
        steps, again = written(card, issue)
        assert steps == [Step.VERIFY]
        assert not again.written
        assert again.claim == first.claim
        assert image(card) == before


def test_a_finished_card_can_begin_to_hide_its_uid_later() -> None:
    card = blank(UID)
    first = written(card)[1]
    steps, done = written(card, HIDING)
    assert steps == [Step.HIDE_UID, Step.VERIFY]
    assert done.claim == first.claim
    assert claim_of(card) == first.claim
    assert card.uid.is_random


@pytest.mark.parametrize("make", ["EV1", "EV2", "EV3 with AES"])
@pytest.mark.parametrize("heard", [False, True], ids=["lost command", "lost answer"])
def test_a_card_torn_after_any_command_goes_on_where_it_stopped(make: str, heard: bool) -> None:
    """Whatever was done when the card left, the next run ends with a card of the site; and until its own key is
    changed, the factory's opens the card."""
    total = commands_for(MAKES[make]())
    transport_until_late = 0
    for commands in range(total):
        card = MAKES[make]()
        torn = TornCard(card, commands, heard=heard)
        with pytest.raises(CardGone), presented(torn) as connected:
            carried_out(connected, HIDING)
        assert torn.was_torn
        if card.memory.card.keys[0] in (bytes(8), ZERO_AES):
            transport_until_late += 1
            assert card.memory.card.settings == 0x0F
        complete = card.memory.applications.get(APPLICATION.identifier)
        known = None
        if complete is not None and complete.versions.get(0):
            known = complete.files[1].content
        done = written(card, HIDING)[1]
        assert done.claim.uid == UID
        assert claim_of(card, HIDING) == done.claim
        assert any(done.claim.subject[7:])
        if known is not None:
            assert done.claim.subject == UID.value + known
    assert transport_until_late > total / 2


def test_a_card_torn_again_and_again_gets_there() -> None:
    card = blank(UID, model=Model.EV1)
    for commands in range(10, 60):
        try:
            done = written(TornCard(card, commands, heard=commands % 2 == 0), HIDING)[1]
        except CardGone:
            continue
        assert done.claim.uid == UID
        return
    pytest.fail("it never got there")


def test_a_card_that_the_site_emptied_is_issued_anew() -> None:
    card = blank(UID)
    first = written(card)[1]
    card.memory.applications.clear()
    steps, second = written(card)
    assert Step.CREATE_APPLICATION in steps
    assert Step.CARD_KEY not in steps
    assert second.claim.subject != first.claim.subject
    assert claim_of(card) == second.claim


def test_no_command_is_longer_than_every_reader_takes() -> None:
    for make in MAKES.values():
        card = CountingCard(make())
        carried_out(card, DesfireIssue(replace(APPLICATION, file_size=240), hides_uid=True))
        assert max(map(len, card.sent)) <= 60


def test_no_key_goes_over_the_air_as_it_is() -> None:
    card = CountingCard(blank(UID))
    carried_out(card)
    keys = ISSUE.keys_of(UID, KEYS)
    said = b"".join(card.sent)
    for key in (*ISSUING_KEYS.values(), keys.card, keys.master, keys.read):
        assert key not in said


@pytest.mark.parametrize(("room", "left"), [(100, 0), (200, 1)])
def test_a_card_without_room_says_so_and_stays_usable(room: int, left: int) -> None:
    card = DesfireCard(UID, DesfireMemory({}, room=room))
    with pytest.raises(CommandRefused, match="no room left") as refused:
        written(card)
    assert refused.value.status_word == 0x910E
    assert len(card.memory.applications) == left
    assert card.memory.card.keys == {0: bytes(8)}
    card.memory.room = 8000
    assert written(card)[1].written


def test_settings_that_somebody_froze_otherwise_are_said_and_not_hidden() -> None:
    card = blank(UID)
    written(card)
    card.memory.card.settings = 0x03
    with pytest.raises(CommandRefused, match="does not permit"):
        written(card)


@pytest.mark.parametrize(
    "fault", [Fault.WRONG_KEY, Fault.FORGED, Fault.TAMPERED, Fault.WITHOUT_MAC, Fault.RANDOM_LENGTHS, Fault.STALE_DATA]
)
@pytest.mark.parametrize("model", [Model.EV1, Model.EV2])
def test_a_card_with_a_fault_never_counts_as_written(fault: Fault, model: Model) -> None:
    card = blank(UID, model=model, fault=fault)
    with pytest.raises(ReaderError):
        written(card)
    card.fault = Fault.NONE
    assert written(card)[1].claim.uid == UID


@pytest.mark.parametrize("number", [2, 3], ids=["read key", "UID key"])
def test_a_card_that_does_not_prove_itself_at_the_end_is_not_given_out(number: int) -> None:
    card = blank(UID)
    with presented(card) as connected:
        work = personalise(connected, ISSUE, KEYS)
        while next(work).step is not Step.VERIFY:
            pass
        card.memory.applications[APPLICATION.identifier].keys[number] = bytes(16)
        with pytest.raises(NotPersonalisable) as refused:
            next(work)
    assert refused.value.reason is Unfit.UNVERIFIED


def test_a_site_may_have_no_key_that_tells_the_uid() -> None:
    issue = DesfireIssue(replace(APPLICATION, uid_key_number=None, read_key_number=1))
    card = blank(UID)
    steps, done = written(card, issue)
    assert Step.UID_KEY not in steps
    assert Step.SPARE_KEYS not in steps
    assert len(card.memory.applications[APPLICATION.identifier].keys) == 2
    assert claim_of(card, issue) == done.claim


@pytest.mark.parametrize("messagings", [(Messaging.EV1,), (Messaging.EV2,)])
def test_a_site_may_insist_on_one_way_to_authenticate(messagings: tuple[Messaging, ...]) -> None:
    issue = DesfireIssue(replace(APPLICATION, messagings=messagings))
    assert written(blank(UID), issue)[1].written


def test_the_rights_of_a_file_are_those_of_the_card() -> None:
    assert bytes(FileRights(read=2, write=0)).hex().upper() == "FF20"
    card = blank(UID)
    written(card)
    with presented(card) as connected:
        select(connected, APPLICATION.identifier)
        session = authenticate(
            connected, APPLICATION.messagings, 0, ISSUE.keys_of(UID, KEYS).master, lambda n: bytes(n)
        )
        assert file_settings(connected, session, 1).hex().upper() == "0001FF20200000"


@settings(max_examples=40)
@given(
    script=st.lists(
        st.builds(Response, st.binary(max_size=40), st.sampled_from([0x9100, 0x91AF, 0x91AE, 0x911C, 0x919D, 0x9000]))
        | st.just(CardGone("gone")),
        max_size=30,
    ),
    begins=st.booleans(),
)
def test_no_random_card_is_ever_taken_for_written(script: list[Response | Exception], begins: bool) -> None:
    start: list[Response | Exception] = [*version(1, 0x12)] if begins else []
    with pytest.raises(ReaderError):
        carried_out(ScriptedCard([*start, *script], UID))


def test_no_key_shows_in_text_or_traceback() -> None:
    card = blank(UID)
    told = ""
    with presented(card) as connected:
        state = look(connected, ISSUE, KEYS)
    with presented(TornCard(card, 25, heard=True)) as connected:
        try:
            carried_out(connected)
        except CardGone:
            told = traceback.format_exc()
    assert told
    keys = ISSUE.keys_of(UID, KEYS)
    texts = [told, *(f"{thing!r}{thing}" for thing in (state, keys, ISSUE, card, card.memory.card, written(card)[1]))]
    for text in texts:
        for secret in (*ISSUING_KEYS.values(), keys.card, keys.master, keys.read, UID.value):
            assert secret.hex() not in text.lower()
            assert repr(secret)[2:-1] not in text


@pytest.mark.parametrize("make", MAKES)
def test_a_card_may_be_looked_at_before_it_is_written_and_after(make: str) -> None:
    with presented(MAKES[make]()) as card:
        assert look(card, HIDING, KEYS) == look(card, HIDING, KEYS)
        first = carried_out(card, HIDING)[1]
        assert look(card, HIDING, KEYS).is_frozen
        assert carried_out(card)[1].claim == first.claim


def test_what_was_personalised_is_known_at_the_wall() -> None:
    card = blank(UID)
    done = written(card)[1]
    with presented(card) as connected:
        answer = desfire_scheme(keys=KEYS).identify(connected)
    assert isinstance(answer, Claim)
    assert answer == done.claim
