"""What the installing scripts leave on a machine, done under a folder instead of /."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DRIVER_OPTIONS = """<plist><dict>
\t<key>ifdVendorID</key>
\t<string>0x0000</string>
\t<key>ifdDriverOptions</key>
\t<string>{}</string>
\t<!-- 0x0000 -->
</dict></plist>
"""


def prepared(machine: Path, *options: str) -> str:
    """Runs the script of the readers and gives what it said."""
    command = ["sh", str(ROOT / "deploy/readers.sh"), *options]
    environment = {"PATH": os.environ["PATH"], "DESTDIR": str(machine)}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def options(tmp_path: Path) -> Path:
    path = tmp_path / "etc/libccid_Info.plist"
    path.parent.mkdir()
    path.write_text(DRIVER_OPTIONS.format("0x0000"))
    return path


def test_readers_get_their_rules_and_their_lights_once(tmp_path: Path, options: Path) -> None:
    assert "passes on light and sound" in prepared(tmp_path)
    assert options.read_text() == DRIVER_OPTIONS.format("0x0001")
    assert "stays as it is" in prepared(tmp_path)
    assert options.read_text() == DRIVER_OPTIONS.format("0x0001")
    assert (tmp_path / "etc/udev/rules.d/94-kiosk-readers.rules").read_bytes() == (
        ROOT / "udev/94-kiosk-readers.rules"
    ).read_bytes()
    assert (tmp_path / "etc/modprobe.d/kiosk-nfc-modules.conf").exists()
    assert not (tmp_path / "etc/udev/rules.d/95-kiosk-nfcpy.rules").exists()


def test_options_that_somebody_chose_are_kept(tmp_path: Path, options: Path) -> None:
    options.write_text(DRIVER_OPTIONS.format("0x0005"))
    assert "stays as it is" in prepared(tmp_path)
    assert options.read_text() == DRIVER_OPTIONS.format("0x0005")


def test_debians_own_options_are_understood(tmp_path: Path) -> None:
    installed = Path("/etc/libccid_Info.plist")
    assert installed.exists(), "libccid comes with pcscd"
    (tmp_path / "etc").mkdir()
    shutil.copy(installed, tmp_path / "etc")
    prepared(tmp_path)
    text = (tmp_path / "etc/libccid_Info.plist").read_text()
    assert "<key>ifdDriverOptions</key>\n\t<string>0x0001</string>" in text
    assert text.replace("0x0001", "0x0000", 1).count("0x0000") == installed.read_text().count("0x0000")


def test_nfcpy_gets_its_rules_and_a_missing_driver_is_said(tmp_path: Path) -> None:
    assert "apt-get install libccid" in prepared(tmp_path, "--nfcpy")
    assert (tmp_path / "etc/udev/rules.d/95-kiosk-nfcpy.rules").exists()
