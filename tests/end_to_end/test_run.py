"""`kiosk run` as it is installed: a real reader service, people who were enrolled by command, nothing of a demo."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.audit import Phase, Trail, verify
from kiosk.demo.archive import DemoArchive
from kiosk.demo.staff import RADIOLOGIST_BADGE, RADIOLOGIST_PHONE, deck
from tests.end_to_end.machine import without_vpcd
from tests.end_to_end.program import COMMAND, Program, kiosk, runtime
from tests.pcscd import PcscWithVpcd

PIN = "704218"
CONFIG = """
[kiosk]
name = "Reading room 1"
state_directory = "state"

[readers]
specs = ["{spec}"]

[session]
accidental_seconds = 0.5

[limits]
disk_reserve_bytes = 0

[[archives]]
name = "Archive"
ae_title = "{pacs.ae_title}"
host = "{pacs.host}"
port = {pacs.port}
"""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    with runtime() as variables:
        yield variables


@pytest.mark.timeout(180)
def test_a_kiosk_from_its_first_officer_to_its_stop(
    pcsc_with_vpcd: PcscWithVpcd, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "kiosk.toml"
    with DemoArchive(calling_ae_title="KIOSK") as pacs:
        path.write_text(CONFIG.format(spec=pcsc_with_vpcd.spec, pacs=pacs.archive))
        officer = kiosk(environment, "staff", "bootstrap", "o.one", "--name", "Olga One", "--config", str(path))
        assert officer.returncode == 0, officer.stderr
        _enrol(pcsc_with_vpcd, environment, path)
        command = without_vpcd([*COMMAND, "run", "--plain", "--config", str(path)])
        with Program(environment, command=command, terminal=True) as running:
            running.await_text("Locked. Tap your badge or phone.")
            pcsc_with_vpcd.insert(deck()[RADIOLOGIST_BADGE])
            running.await_text("This badge is not known here")
            pcsc_with_vpcd.clear()
            pcsc_with_vpcd.insert(deck()[RADIOLOGIST_PHONE])
            running.await_text("PIN of Ada Real")
            pcsc_with_vpcd.clear()
            after = running.type(f"{PIN}\n")
            running.await_text("Signed in: Ada Real", after)
            after = running.type("query date=today\n")
            running.await_text("1. ", after)
            after = running.type("tap radiologist-badge\n")
            running.await_text("There is no simulated reader here.", after)
            assert "demonstration" not in running.text
            assert running.end() == 0
    with Trail.read_only(tmp_path / "state" / "trail.db") as trail:
        entries = [record.entry for record in trail.read()]
    assert [(entry.act, entry.phase) for entry in entries[-2:]] == [("stop", Phase.INTENT), ("stop", Phase.OUTCOME)]
    assert "sign_out" in {entry.act for entry in entries}
    found = verify(tmp_path / "state" / "trail.db")
    assert found.whole
    assert found.proofs >= 1


def _enrol(reader: PcscWithVpcd, environment: dict[str, str], path: Path) -> None:
    words = ["staff", "add", "a.real", "--name", "Ada Real", "--role", "radiologist", "--tap", "--config", str(path)]
    with Program(environment, *words, terminal=True) as adding:
        adding.await_text("Tap the badge or phone to enrol.")
        reader.insert(deck()[RADIOLOGIST_PHONE])
        for question in ("New PIN", "Once more"):
            adding.await_text(question)
            adding.type(f"{PIN}\n")
        adding.await_text("Enrolled: pkoc")
        assert adding.wait() == 0
    reader.clear()
