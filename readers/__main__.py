"""`python -m readers`: which readers there are, what drives them, what is wrong and how to mend it; then exit 1."""

import sys
from collections.abc import Sequence

from readers.doctor import Finding, State, findings

WORDS = {State.OK: "ok     ", State.WRONG: "wrong  ", State.UNKNOWN: "unknown"}


def lines(found: Sequence[Finding]) -> list[str]:
    """What is printed for `found`, each fix below its sentence."""
    printed: list[str] = []
    for finding in found:
        printed.append(f"{WORDS[finding.state]} {finding.sentence}")
        if finding.fix:
            printed.append(f"        fix: {finding.fix}")
    return printed


def main() -> int:
    """Prints all findings; the exit status is 1 when something is wrong."""
    found = findings()
    sys.stdout.write("\n".join(lines(found)) + "\n")
    return 1 if any(finding.state is State.WRONG for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main())
