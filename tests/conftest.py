"""What every room's tests may use."""

import signal

pytest_plugins = ["tests.pcscd"]


def pytest_configure() -> None:
    """Under nohup a hang-up is ignored, and by every program that the tests start: some of them test just that."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
