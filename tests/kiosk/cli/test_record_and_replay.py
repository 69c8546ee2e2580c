"""`kiosk read --record` writes what a reader saw, "simulated:replay=FILE" shows it again; scenarios tap alone."""

import json
import stat
from pathlib import Path
from typing import Any

from tests.end_to_end.program import Program, kiosk

SCENARIO = """
[[card]]
name = "badge"
kind = "uid"
uid = "04A1B2C3D4E580"

[[card]]
name = "phone"
kind = "pkoc-phone"
private_key = "1111111111111111111111111111111111111111111111111111111111111111"

[[step]]
card = "badge"
at = 0.1
for = 2

[[step]]
card = "phone"
at = 2.2
for = 2

[[step]]
card = "phone"
at = 4.3
for = 2
faults = ["replayed"]
"""


def test_a_scenario_is_recorded_and_replayed(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "taps.toml").write_text(SCENARIO)
    file = tmp_path / "recording"
    spec = f"simulated:scenario={tmp_path / 'taps.toml'}"
    done = kiosk(environment, "read", "--reader", spec, "--json", "--count", "3", "--record", str(file))
    assert done.returncode == 0, done.stderr
    seen = [line for line in _lines(done.stdout) if line["event"] in ("card", "refused")]
    assert [line.get("kind", line.get("reason")) for line in seen] == ["iso14443", "pkoc", "proof_failed"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = kiosk(environment, "read", "--reader", f"simulated:replay={file}", "--json", "--count", "3")
    assert again.returncode == 0, again.stderr
    shown = [line for line in _lines(again.stdout) if line["event"] in ("card", "refused")]
    assert [line["uid"] for line in shown] == [line["uid"] for line in seen]
    assert [line.get("kind", line.get("reason")) for line in shown] == ["iso14443", "proof_failed", "proof_failed"]


def test_a_recording_overwrites_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = kiosk(environment, "read", "--reader", "simulated", "--record", str(tmp_path / "mine"))
    assert done.returncode == 1
    assert "overwrites nothing" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "mine").read_text() == "mine"


def test_the_demo_s_cards_tap_by_themselves(environment: dict[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[step]]\ncard = "radiologist-bagde"\nat = 1\n')
    refused = kiosk(environment, "demo", "--plain", "--scenario", str(wrong))
    assert refused.returncode == 1
    assert 'There is no card "radiologist-bagde"' in refused.stderr
    (tmp_path / "taps.toml").write_text('[[step]]\ncard = "radiologist-badge"\nat = 0.5\nfor = 30\n')
    with Program(environment, "demo", "--plain", "--scenario", str(tmp_path / "taps.toml"), terminal=True) as running:
        running.await_text("Dr. Anna Weber")


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
