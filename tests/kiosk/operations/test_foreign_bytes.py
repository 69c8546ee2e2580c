"""What archives and files send is taken apart in the workers only: the kiosk's own process has not even what for."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PARSERS = ("kiosk.imaging.network", "kiosk.imaging.studies", "pydicom", "pynetdicom", "numpy", "PIL", "imagecodecs")
HARMLESS = {f"kiosk.imaging.studies.{name}" for name in ("gaps", "geometry", "model", "priors")}
"""Plain values, and what is computed from them."""
OURS = {f"kiosk/imaging/worker/{name}.py" for name in ("lane", "requests", "wire")}
"""The kiosk's end of a worker; the rest of that folder is the other."""
APART = ("kiosk/imaging/network/", "kiosk/imaging/studies/", "kiosk/demo/", "kiosk/ui/")
"""The parsers themselves; the demo's archive, a process of its own; the screens, which draw finished pictures."""


def imported(source: str) -> Iterator[str]:
    """Every module that is imported anywhere in it, functions included, or named for an import by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def parses(name: str) -> bool:
    known = any(name == parser or name.startswith(f"{parser}.") for parser in PARSERS)
    return known and not any(name == harmless or name.startswith(f"{harmless}.") for harmless in HARMLESS)


def is_apart(path: str) -> bool:
    return path.startswith(APART) or (path.startswith("kiosk/imaging/worker/") and path not in OURS)


def test_nothing_outside_the_workers_imports_what_parses_foreign_bytes() -> None:
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "kiosk").rglob("*.py")}
    found = {
        path: names
        for path, source in sources.items()
        if not is_apart(path) and (names := sorted(filter(parses, imported(source))))
    }
    assert found == {}


def test_the_check_itself_can_fail() -> None:
    sources = [path.read_text() for path in (ROOT / "kiosk/imaging/worker").glob("*_calls.py")]
    assert {name for source in sources for name in imported(source) if parses(name)} >= {
        "kiosk.imaging.network.send",
        "kiosk.imaging.studies.transcode",
    }
    assert list(filter(parses, imported("def f():\n    import pydicom.filereader"))) == ["pydicom.filereader"]


def test_the_kiosk_with_all_its_acts_loads_no_parser() -> None:
    script = """
import importlib, pkgutil, sys
import kiosk.operations, kiosk.build, kiosk.cli, kiosk.plain.app
for module in pkgutil.walk_packages(kiosk.operations.__path__, "kiosk.operations."):
    importlib.import_module(module.name)
print("\\n".join(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = done.stdout.split()
    assert "kiosk.operations.deliver" in loaded
    assert [name for name in loaded if parses(name) and name != "kiosk.imaging.studies"] == []
