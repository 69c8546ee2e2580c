"""View models know no screen."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys, kiosk.views
for module in pkgutil.iter_modules(kiosk.views.__path__):
    importlib.import_module(f"kiosk.views.{module.name}")
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_views_load_neither_textual_nor_rich() -> None:
    loaded = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert not {"textual", "rich", "PIL", "pydicom", "pynetdicom"} & set(loaded.stdout.split())
