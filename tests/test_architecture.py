"""The house stands as design.md draws it: floors, file sizes, what lands in `sys.modules`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for top in ("kiosk", "readers", "tests")
    for path in (ROOT / top).rglob("*.py")
    if "__pycache__" not in path.parts
)
TOP_LEVEL = {"pyproject.toml", "kiosk", "readers", "tests", "deploy", "udev", "README.md", "LICENSE", "CHANGELOG.md"}
TOOLS = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "lint-imports": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
}


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.timeout(600)
def test_the_checkers_find_nothing(tool: str) -> None:
    done = subprocess.run([sys.executable, *TOOLS[tool]], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_longer_than_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines for path in SOURCES if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_the_median_file_is_short() -> None:
    lengths = sorted(lines for path in SOURCES if (lines := len(path.read_text().splitlines())))
    assert lengths[len(lengths) // 2] <= 180


def test_the_top_level_holds_what_the_owner_fixed_and_nothing_else() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    assert {name.split("/")[0] for name in listed if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import readers, readers.registry, readers.watch", {"smartcard", "nfc", "textual", "pydicom", "kiosk"}),
        ("import readers.simulated", {"smartcard", "nfc", "textual", "pydicom", "kiosk"}),
        ("import kiosk.audit", {"sqlalchemy", "pydicom", "pynetdicom", "textual", "kiosk.access", "kiosk.imaging"}),
        ("import kiosk.operations.agent", {"pynetdicom", "pydicom", "textual", "rich", "smartcard", "nfc"}),
        ("import kiosk.build, kiosk.ui.app", {"pynetdicom", "pydicom", "smartcard", "nfc"}),
        ("import kiosk.build, kiosk.plain.app", {"pynetdicom", "pydicom", "textual", "rich", "smartcard", "nfc"}),
    ],
)
def test_imports_load_only_what_their_floor_may(statement: str, never: set[str]) -> None:
    assert not _loaded_by(statement) & never


def test_the_checks_themselves_can_fail() -> None:
    assert "pydicom" in _loaded_by("import pydicom")
