"""The rules that are installed know the readers that the code knows."""

import re
from pathlib import Path

import pytest

from readers.doctor import KERNEL_DRIVERS
from readers.usb import MODELS, NFCPY_DRIVERS

UDEV = Path(__file__).parents[2] / "udev"
READERS = UDEV / "94-kiosk-readers.rules"
NFCPY = UDEV / "95-kiosk-nfcpy.rules"
MODULES = UDEV / "kiosk-nfc-modules.conf"
IDS = re.compile(r'^ATTR\{idVendor\}=="(\w{4})", ATTR\{idProduct\}=="([\w|]+)"', re.MULTILINE)
LIBCCID_RULES = 92
PAIR = re.compile(
    r'(?:(?:ACTION|SUBSYSTEM|TEST|GOTO|LABEL|GROUP|MODE|SYMLINK)|(?:TEST|ATTRS?|ENV)(?:\{[\w/]+\})?)(?:==|!=|\+=|=)"[^"]*"'
)


def models_in(rules: Path) -> set[tuple[int, int]]:
    return {
        (int(vendor, 16), int(product, 16))
        for vendor, products in IDS.findall(rules.read_text(encoding="utf-8"))
        for product in products.split("|")
    }


def statements(rules: Path) -> list[str]:
    lines = rules.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_known_model_stays_awake() -> None:
    assert models_in(READERS) == set(MODELS)


@pytest.mark.parametrize("rules", [READERS, NFCPY])
def test_rules_come_after_libccids_own_which_would_undo_them(rules: Path) -> None:
    assert int(rules.name.partition("-")[0]) > LIBCCID_RULES


def test_what_nfcpy_drives_is_its_groups_and_not_pcscds() -> None:
    assert models_in(NFCPY) == set(NFCPY_DRIVERS)
    assert 'GROUP="kiosk", MODE="0660", ENV{PCSCLITE_IGNORE}="1"' in NFCPY.read_text(encoding="utf-8")


def test_the_serial_adapters_are_kept_from_modem_manager() -> None:
    assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in statements(NFCPY)[-2]


@pytest.mark.parametrize("rules", [READERS, NFCPY])
def test_rules_are_well_formed_and_jump_only_forward(rules: Path) -> None:
    labels: list[str] = []
    jumps: list[str] = []
    for line in statements(rules):
        for pair in line.split(", "):
            assert PAIR.fullmatch(pair), pair
        labels += re.findall(r'LABEL="(\w+)"', line)
        found = re.findall(r'GOTO="(\w+)"', line)
        assert not set(found) & set(labels)
        jumps += found
    assert set(jumps) == set(labels)


def test_every_kernel_driver_that_the_doctor_looks_for_is_kept_out() -> None:
    lines = statements(MODULES)
    for name in KERNEL_DRIVERS:
        assert f"blacklist {name}" in lines
        assert f"install {name} /bin/false" in lines
