"""python-desfire sets the virtual card up: a reader by others, that has done so with real cards.

Not for files in plain mode under a key, whose MAC it overlooks, nor for writing in MAC mode, where it sends the second
half of the MAC: libfreefare and proxmark3 send the first.
"""

import pytest
from desfire import DESFire
from desfire.devices.base import Device
from desfire.enums import DESFireCommunicationMode, DESFireFileType, DESFireKeySettings, DESFireKeyType
from desfire.exceptions import DESFireCommunicationError
from desfire.key import DESFireKey
from desfire.schemas import FilePermissions, FileSettings, KeySettings

from readers.credentials.desfire_commands import CARD_LEVEL
from readers.credentials.desfire_issue import SETTINGS
from readers.virtual.desfire_card import DesfireCard, Model, blank
from tests.readers.cards import presented
from tests.readers.credentials.aes_cards import APPLICATION, UID
from tests.readers.credentials.desfire_blanks import HIDING, ISSUE, KEYS, written

SITE_APPLICATION = [0x12, 0x34, 0x56]
ALL_SETTINGS = list(DESFireKeySettings)
AES = KeySettings(key_type=DESFireKeyType.DF_KEY_AES)
DES = KeySettings(key_type=DESFireKeyType.DF_KEY_2K3DES)


class Wrapping(Device):
    """Its native commands, wrapped for the card; it has the status first and the data after it."""

    def __init__(self, card: DesfireCard) -> None:
        self._card = card

    def transceive(self, frame: list[int]) -> list[int]:
        command, data = frame[0], bytes(frame[1:])
        length = bytes((len(data),)) if data else b""
        raw = self._card.exchange(bytes((0x90, command, 0, 0)) + length + data + b"\x00")
        assert raw[-2] == 0x91
        return [raw[-1], *raw[:-2]]


@pytest.fixture(params=[Model.EV1, Model.EV2])
def card(request: pytest.FixtureRequest) -> DesfireCard:
    made = blank(UID, model=request.param)
    made.power_on()
    return made


@pytest.fixture
def reader(card: DesfireCard) -> DESFire:
    return DESFire(Wrapping(card))


def aes(key: bytes = bytes(16)) -> DESFireKey:
    return DESFireKey(AES, key)


def test_it_makes_an_application_with_keys_and_a_file(card: DesfireCard, reader: DESFire) -> None:
    reader.authenticate(0, DESFireKey(DES, bytes(8)))
    assert bytes(reader.get_card_version().uid) == UID.value
    settings = KeySettings(settings=ALL_SETTINGS[:4], key_type=DESFireKeyType.DF_KEY_AES)
    reader.create_application(SITE_APPLICATION, settings, 3)
    assert reader.get_application_ids() == [SITE_APPLICATION]
    reader.select_application(SITE_APPLICATION)
    reader.authenticate(0, aes())
    reader.change_key(1, aes(), aes(b"\x05" * 16), 9)
    assert reader.get_key_version(1) == 9
    reader.change_key(1, aes(b"\x05" * 16), aes(b"\x06" * 16), 10)
    permissions = FilePermissions(1, 1, 0xF, 0xF)
    file = FileSettings(DESFireCommunicationMode.ENCRYPTED, DESFireFileType.MDFT_STANDARD_DATA_FILE, permissions, 30)
    reader.create_standard_file(5, file)
    assert reader.get_file_ids() == [5]
    reader.change_key(0, aes(), aes(b"\x07" * 16), 4)
    reader.authenticate(1, aes(b"\x06" * 16))
    own = card.memory.applications[bytes(SITE_APPLICATION[::-1])]
    file = reader.get_file_settings(5)
    reader.write_file_data(5, 3, file.encryption, list(b"of others"))
    assert own.files[5].content[:13] == b"\x00\x00\x00of others\x00"
    assert bytes(reader.read_file_data(5, file))[3:12] == b"of others"
    assert own.keys == {0: b"\x07" * 16, 1: b"\x06" * 16, 2: bytes(16)}
    with pytest.raises(DESFireCommunicationError):
        reader.authenticate(0, aes())


def test_it_changes_the_card_s_own_key_from_des_to_aes(card: DesfireCard, reader: DESFire) -> None:
    reader.authenticate(0, DESFireKey(DES, bytes(8)))
    reader.change_key(0, DESFireKey(DES, bytes(8)), aes(b"\x08" * 16), 2)
    assert card.memory.card.keys == {0: b"\x08" * 16}
    reader.authenticate(0, aes(b"\x08" * 16))
    reader.change_key_settings([DESFireKeySettings.KS_ALLOW_CHANGE_MK, DESFireKeySettings.KS_CONFIGURATION_CHANGEABLE])
    assert card.memory.card.settings == 0x09
    reader.format_card()
    with pytest.raises(DESFireCommunicationError):
        reader.authenticate(0, aes(bytes(16)))


def test_it_finds_a_card_of_the_site_as_it_should_be(card: DesfireCard, reader: DESFire) -> None:
    done = written(card, HIDING)[1]
    keys = ISSUE.keys_of(UID, KEYS)
    card.power_on()
    with pytest.raises(DESFireCommunicationError):
        reader.get_application_ids()
    reader.select_application(list(APPLICATION.identifier[::-1]))
    with pytest.raises(DESFireCommunicationError):
        reader.get_file_ids()
    reader.authenticate(3, aes(keys.uid))
    assert bytes(reader.get_real_uid()) == UID.value
    reader.authenticate(0, aes(keys.master))
    assert reader.get_key_setting().max_keys == 4
    file = reader.get_file_settings(1)
    assert (file.encryption, file.file_size) == (DESFireCommunicationMode.CMAC, 32)
    assert file.permissions is not None
    assert (file.permissions.read_access, file.permissions.write_access) == (2, 0)
    reader.authenticate(2, aes(keys.read))
    assert UID.value + bytes(reader.read_file_data(1, file)) == done.claim.subject
    reader.select_application(list(CARD_LEVEL))
    reader.authenticate(0, aes(keys.card))
    assert reader.get_application_ids() == [list(APPLICATION.identifier[::-1])]
    assert card.memory.card.settings == SETTINGS
    with presented(card) as connected:
        assert connected.uid is not None
        assert connected.uid.is_random
