"""What every room's tests may use."""

import signal

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.pcscd"]


def pytest_configure(config: pytest.Config) -> None:
    """How examples are made up, and which signals are heard.

    The short suite makes up the same examples every time, so that what it finds is of the change that it is run for;
    the long one, and whoever runs single tests, looks further. A machine that is busy elsewhere breaks no deadline.

    Under nohup or in a shell's background some signals are ignored, and by every program that the tests start too:
    some of them test just that they are heard.
    """
    is_short = config.option.markexpr == "not long"
    settings.register_profile(
        "suite", deadline=None, derandomize=is_short, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("suite")
    for number, usual in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
