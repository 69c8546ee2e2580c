"""`python -m tests.bench [NAME ...]`: runs benches, one JSON line a row; without names, all of them.

A bench is a module of this package with a generator `rows()` of dicts: work, peer, ours, theirs, unit, ratio, goal,
met, rounds. Peer and ours run in turn within one row.
"""

import argparse
import importlib
import json
import pkgutil
import signal
import sys
from collections.abc import Iterator

import tests.bench


def names() -> list[str]:
    """The benches there are."""
    found = [module.name for module in pkgutil.iter_modules(tests.bench.__path__) if not module.name.startswith("_")]
    return sorted(name for name in found if hasattr(importlib.import_module(f"tests.bench.{name}"), "rows"))


def run(name: str) -> Iterator[dict[str, object]]:
    """The rows of one bench, as they come."""
    yield from importlib.import_module(f"tests.bench.{name}").rows()


def main() -> int:
    """Exit status 1 when a goal was missed."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))  # every server is ended on the way out
    known = names()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures the kiosk beside its peers.")
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"one of: {', '.join(known)}")
    chosen = parser.parse_args().name or known
    if unknown := sorted(set(chosen) - set(known)):
        parser.error(f"no such bench: {', '.join(unknown)}")
    missed = False
    for name in chosen:
        for row in run(name):
            print(json.dumps(row), flush=True)
            missed = missed or not row["met"]
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
