"""The transport under nfcpy's PN532 driver: frames out of whatever a serial line brings."""

import errno
import os
import pty
import threading
from collections.abc import Iterator

import pytest

from readers.nfcpy_uart import LONGEST_NOISE, Uart
from readers.virtual.pn532_frame import ACK, NACK, encode


@pytest.fixture
def line() -> Iterator[tuple[int, Uart]]:
    """The chip's end as a bare descriptor, and a transport that is open on the other."""
    near, far = pty.openpty()
    uart = Uart(os.ttyname(far))
    uart.open()
    try:
        yield near, uart
    finally:
        uart.close()
        os.close(near)
        os.close(far)


@pytest.mark.parametrize("size", [2, 254, 255, 256, 265])
def test_frames_of_any_size_are_read_whole(line: tuple[int, Uart], size: int) -> None:
    near, uart = line
    frame = encode(b"\xd5" + bytes(size - 1))
    os.write(near, ACK + frame + NACK)
    assert uart.read(100) == ACK
    assert uart.read(100) == frame
    assert uart.read(100) == NACK


def test_a_line_that_was_hung_up_says_so_to_every_call(line: tuple[int, Uart]) -> None:
    near, uart = line
    os.dup2(os.open(os.devnull, os.O_RDWR), near)
    for call in (lambda: uart.write(ACK), lambda: uart.read(1000)):
        with pytest.raises(OSError, match=r".") as caught:
            call()
        assert caught.value.errno == uart.failure == errno.ENODEV
    uart.close()
    with pytest.raises(OSError, match="No such device"):
        uart.write(ACK)


def test_a_speed_is_not_set_on_what_is_no_terminal(line: tuple[int, Uart]) -> None:
    _near, uart = line
    os.dup2(os.open(os.devnull, os.O_RDWR), uart._line)
    with pytest.raises(OSError, match=r".") as caught:
        uart.baudrate = 921_600
    assert caught.value.errno == errno.ENOTTY


def test_what_comes_before_a_frame_is_passed_over(line: tuple[int, Uart]) -> None:
    near, uart = line
    for noise in (b"\x00" * 40, b"\x00\x00\xff\x05\x05", b"\xff" * 9, b"\x00\x00\xff\xff\xff\x7f\xff\x01"):
        os.write(near, noise + ACK)
        assert uart.read(1000) == ACK


def test_nothing_but_noise_ends_and_so_does_half_a_frame(line: tuple[int, Uart]) -> None:
    near, uart = line
    os.write(near, ACK[:3] + b"\x08\xf8\xd5")
    with pytest.raises(OSError, match="timed out") as caught:
        uart.read(50)
    assert caught.value.errno == errno.ETIMEDOUT
    for _ in range(2):
        uart.write(b"")
        os.write(near, b"\x55" * (LONGEST_NOISE // 2))
        with pytest.raises(OSError, match=r".") as caught:
            uart.read(50)
        assert caught.value.errno in (errno.EIO, errno.ETIMEDOUT)


def test_an_interruption_ends_one_read_and_a_late_one_is_forgotten(line: tuple[int, Uart]) -> None:
    near, uart = line
    uart.interrupt()
    uart.silence()
    os.write(near, ACK)
    assert uart.read(1000) == ACK
    bell = threading.Timer(0.1, uart.interrupt)
    bell.start()
    with pytest.raises(OSError, match=r"."):
        uart.read(60_000)
    bell.join()
    assert os.read(near, 64) == ACK, "what the chip was told to do is broken off"
    os.write(near, ACK)
    assert uart.read(1000) == ACK
