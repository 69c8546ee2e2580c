"""The room stands alone: another project could take it."""

import subprocess
import sys
from pathlib import Path

import kiosk.audit

ROOT = Path(__file__).parents[3]
ALLOWED = {"kiosk", "kiosk.errors", "kiosk.clock", "readers", "readers.text"}
LIST = "import sys, kiosk.audit; print('\\n'.join(sys.modules))"
HEAVY = {"cryptography", "pydicom", "pynetdicom", "sqlalchemy", "textual", "rich", "numpy", "msgspec"}


def loaded() -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", LIST], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return set(result.stdout.split())


def test_it_loads_nothing_of_this_project_but_errors_clock_and_safe_text() -> None:
    ours = {name for name in loaded() if name.split(".")[0] in ("kiosk", "readers")}
    assert {name for name in ours if not name.startswith("kiosk.audit")} <= ALLOWED


def test_it_loads_nothing_that_makes_a_terminal_slow() -> None:
    assert {name.split(".")[0] for name in loaded()}.isdisjoint(HEAVY)


def test_every_name_it_offers_is_there() -> None:
    for name in kiosk.audit.__all__:
        assert hasattr(kiosk.audit, name)
    assert callable(kiosk.audit.verify)


def test_no_file_is_longer_than_400_lines() -> None:
    for path in Path(kiosk.audit.__file__).parent.glob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 400, path.name
