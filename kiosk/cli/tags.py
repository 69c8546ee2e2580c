"""`kiosk tags`: the data elements of a DICOM file, as lines, as CSV or in the DICOM JSON Model."""

import csv
import re
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from threading import Event

from kiosk.errors import UnreadableObject
from kiosk.imaging.file_tags import FileTags
from kiosk.imaging.studies.model import TagRow
from kiosk.views.tags import MAX_INDENT

_COLUMNS = ("depth", "tag", "keyword", "vr", "vm", "value", "name", "module", "type")
_NOTES = ("broken", "more")
# What a spreadsheet would take for a formula; a number may begin with its sign.
_FORMULA = re.compile(r"[=@]|[+-](?![0-9.\\+-]*(?:[eE][+-]?[0-9]+)?\Z)")


def run(options: Namespace) -> int:
    """Prints them; 1 when the file breaks, which is said after what parsed."""
    path, cancel = Path(options.file), Event()
    with FileTags() as files:
        if options.format == "json":
            for piece in files.json(path, cancel, meta=options.meta):
                sys.stdout.write(piece)
            print()
            return 0
        show = _csv if options.format == "csv" else _lines
        broken = show(files.rows(path, cancel))
    if broken:
        raise UnreadableObject(broken)
    return 0


def _csv(rows: Iterable[TagRow]) -> str:
    writer, note = csv.writer(sys.stdout, lineterminator="\n"), ""
    writer.writerow(_COLUMNS)
    for row in rows:
        if row.tag in _NOTES:
            note = row.value
        else:
            writer.writerow(_cell(str(getattr(row, column))) for column in _COLUMNS)
    return note


def _cell(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _lines(rows: Iterable[TagRow]) -> str:
    note = ""
    for row in rows:
        if row.tag in _NOTES:
            note = row.value
            continue
        about = " ".join(filter(None, (row.module, row.type)))
        line = f"{'  ' * min(row.depth, MAX_INDENT)}{row.tag} {row.vr:2} {row.vm:>3} {row.keyword or row.name}"
        print(f"{line} = {row.value}" + (f"  [{about}]" if about else ""))
    return note
