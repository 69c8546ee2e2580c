"""What every room's tests may use."""

import signal

pytest_plugins = ["tests.pcscd"]


def pytest_configure() -> None:
    """Under nohup or in a shell's background some signals are ignored, and by every program that the tests start too:
    some of them test just that they are heard."""
    for number, usual in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
