"""Makes kiosk/imaging/studies/modules.xz anew from the tables of PS3.3 that highdicom carries (MIT License).

python -m tests.bench.module_table
"""

import json
import lzma
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import RepeatersDictionary, tag_for_keyword

STUDIES: Final = Path(__file__).parents[2] / "kiosk" / "imaging" / "studies"
_CAPITALS: Final = re.compile(
    r"\b(Sop|Cr|Mr|Ct|Us|Xa|Xrf|Rt|Nm|Pet|Ivus|Dx|Sr|Voi|Lut|Icc|Vl|Iod|Crt|Cad|Ecg|Eeg|Emg|Eog|Api|Ivoct|Dicos|Tdr|Ge)\b"
)
_SMALL: Final = re.compile(r"(?<=\S )(And|Or|Of|By|For|The|In|With|To)\b")


def _title(key: str) -> str:
    words = _CAPITALS.sub(lambda found: found[0].upper(), key.replace("-", " ").title())
    title = _SMALL.sub(lambda found: found[0].lower(), " ".join(words.split()))
    return title.replace("Multi Frame", "Multi-frame").replace("X Ray", "X-Ray")


def table() -> str:
    """The table as text: see `kiosk.imaging.studies.modules`."""
    repeating = {str(entry[4]): mask.replace("x", "0") for mask, entry in RepeatersDictionary.items()}

    def tag(keyword: str) -> str:
        number = tag_for_keyword(keyword)
        return repeating[keyword] if number is None else f"{number:08x}"

    def attribute(entry: dict[str, Any]) -> str:
        kind = "" if entry["type"] == "None" else entry["type"]
        return "." * len(entry["path"]) + tag(entry["keyword"]) + kind

    classes, iods, modules = (
        _carried(name) for name in ("sop_class_iod_map", "iod_module_map", "module_attribute_map")
    )
    used = {module["key"] for uses in iods.values() for module in uses}
    lines = [f"S\t{uid}\t{iod}" for uid, iod in classes.items() if iod in iods]
    for iod, uses in iods.items():
        lines.append(f"I\t{iod}\t" + " ".join(f"{module['usage']}:{module['key']}" for module in uses))
    for key in sorted(used & set(modules)):
        lines.append(f"M\t{key}\t{_title(key)}\t" + " ".join(map(attribute, modules[key])))
    return "\n".join(lines) + "\n"


def _carried(name: str) -> dict[str, Any]:
    path = distribution("highdicom").locate_file(f"highdicom/_standard/{name}.json")
    carried: dict[str, Any] = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    return carried


if __name__ == "__main__":
    (STUDIES / "modules.xz").write_bytes(lzma.compress(table().encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
