"""`python -m tests.fuzz [TARGET ...] [--seconds N]`: fuzzes one target after another; without names, all of them.

`--input HEX` runs one input through one target instead: what a finding is looked at with.
"""

import argparse
import sys

from tests.fuzz.fuzzer import Report, fuzz
from tests.fuzz.targets import NAMES, target

SECONDS = 60


def main() -> int:
    """Exit status 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Looks for inputs that break something.")
    parser.add_argument("target", nargs="*", metavar="TARGET", help=f"one of: {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for each target (default {SECONDS})")
    parser.add_argument("--input", type=bytes.fromhex, metavar="HEX", help="runs this one input, without a fuzzer")
    asked = parser.parse_args()
    chosen = asked.target or NAMES
    if unknown := sorted(set(chosen) - set(NAMES)):
        parser.error(f"no such target: {', '.join(unknown)}")
    if not asked.seconds > 0:
        parser.error("--seconds must be more than 0")
    if asked.input is not None:
        for name in chosen:
            target(name).check(asked.input)
        return 0
    clean = True
    for name in chosen:
        (report,) = fuzz([name], asked.seconds)
        sys.stdout.write(told(report))
        sys.stdout.flush()
        clean = clean and report.is_clean
    return int(not clean)


def told(report: Report) -> str:
    """One line, and for each finding its input in hexadecimal and how it ended."""
    rate = report.runs / report.seconds
    lines = [f"{report.target}: {report.runs} runs, {rate:.0f} a second, {report.covered} branches"]
    lines += [f"  finding: {finding.hex()}" for finding in report.findings]
    return "\n".join([*lines, *([report.story] if report.story else [])]) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
