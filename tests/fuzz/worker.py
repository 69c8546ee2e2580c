"""Fuzzers: `python -m tests.fuzz.worker DIRECTORY SECONDS TARGET ...`, started by tests.fuzz.fuzzer.

Never imported: the interpreter's hooks for coverage go in before anything of ours is loaded, once for all targets; each
target then runs in a fork of its own. The library is instrumented, and nothing else: neither the virtual cards nor what
checks the answers.
"""

import os
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from pkgutil import iter_modules

import atheris  # type: ignore[import-untyped]  # it has no annotations

ROOT = Path(__file__).parent.parent.parent
READS_FILES = ("deck", "scenario", "recorded_card")
VIRTUAL = [
    f"readers.virtual.{module.name}"
    for module in iter_modules([str(ROOT / "readers" / "virtual")])
    if module.name not in READS_FILES
]
INPUT_SECONDS = 10
MEMORY_MEGABYTES = 1024
LONGEST_INPUT = 4096

with atheris.instrument_imports(include=["readers"], exclude=VIRTUAL):
    from tests.fuzz.target import Target
    from tests.fuzz.targets import target


def main(directory: Path, seconds: float, names: list[str]) -> None:
    """Each target in turn; "status" beside its findings is 0 where there are none."""
    for name in names:
        own = directory / name
        for path in (own, own / "corpus", own / "findings"):
            path.mkdir()
        child = os.fork()
        if child == 0:
            with (own / "log").open("wb") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            fuzz(target(name), own, seconds)
        _, status = os.waitpid(child, 0)
        (own / "status").write_text(str(os.waitstatus_to_exitcode(status)))


def fuzz(chosen: Target, own: Path, seconds: float) -> None:
    """Ends the process: with status 0 so many seconds after the seeds, with another one at the first finding."""
    check: Callable[[bytes], None] = chosen.check
    seeds = {seed[:LONGEST_INPUT] for seed in chosen.seeds()}
    end, runs = float("inf"), 0

    def once(data: bytes) -> None:
        nonlocal end, runs
        if runs == len(seeds):
            end = time.monotonic() + seconds
        if time.monotonic() > end:
            os.write(1, f"runs: {runs}\n".encode())
            os._exit(0)
        check(data)
        runs += 1

    for seed in seeds:
        (own / "corpus" / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    atheris.Setup(
        [
            chosen.name,
            f"-timeout={INPUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MEGABYTES}",
            f"-max_len={LONGEST_INPUT}",
            f"-artifact_prefix={own}/findings/",
            str(own / "corpus"),
        ],
        once,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
