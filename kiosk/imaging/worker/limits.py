"""What the worker process may not do: outlive its parent, leave a core dump, take all memory, gain privileges."""

import ctypes
import os
import resource
import signal
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38


def confine(memory_bytes: int, parent: int) -> None:
    """Applies the limits to this process; ends it at once when its parent is gone already."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in (
        (PR_SET_PDEATHSIG, signal.SIGKILL),
        (PR_SET_DUMPABLE, 0),
        (PR_SET_NO_NEW_PRIVS, 1),
    ):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    # The signal does not come for a parent that died before it was asked for.
    if os.getppid() != parent:
        raise SystemExit(1)
