"""Debian's rsyslog and syslog-ng on loopback, each writing what it receives to a file, a message a line.

The packages are unpacked, not installed: the two conflict, and installed they would run on this machine.
"""

import atexit
import logging
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest
from lxml import etree

from tests.kiosk.audit.forward.authority import CLIENT, SERVER, Authority

log = logging.getLogger(__name__)

ROOT = Path(sys.prefix) / "syslog"
MISSING = "rsyslog or syslog-ng is missing in the venv: sh deploy/test.sh brings both"
PATIENCE = 60.0
LISTENING, BOUND = "0A", "07"
"""States in /proc/net: of a listener, and of a socket for datagrams."""
LARGEST = "2m"
LARGEST_OCTETS = 2 * 1024 * 1024
LINE = re.compile(r"<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) - \ufeff?(<AuditMessage.*</AuditMessage>)", re.DOTALL)


class Receiver:
    """A receiver that can be started, killed and started again; what it wrote stays. `kind` as a sink's.

    A line that it was about to write when it was killed is taken away: nobody has such a message.
    """

    def __init__(self, folder: Path, authority: Authority, kind: str, before: Sequence[str] = ()) -> None:
        if not (ROOT / "usr/sbin/rsyslogd").exists() or not (ROOT / "usr/sbin/syslog-ng").exists():
            pytest.fail(MISSING)
        self.folder = folder
        self.authority = authority
        self.kind = kind
        self.port = free_port()
        self.output = folder / "received"
        self.process: subprocess.Popen[bytes] | None = None
        self._before = tuple(before)
        self._messages: list[Message] = []
        self._read = 0
        authority.issue(SERVER)

    def command(self) -> list[str]:
        """Writes the configuration; the program and its arguments."""
        raise NotImplementedError

    def start(self) -> None:
        """Starts it and returns when it listens."""
        libraries = [str(path) for path in (*ROOT.glob("usr/lib/*-linux-gnu*"), ROOT / "usr/lib/syslog-ng")]
        libraries += [str(path) for path in ROOT.glob("lib/*-linux-gnu*")]
        environment = os.environ | {"LD_LIBRARY_PATH": ":".join(libraries)}
        with (self.folder / "receiver.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._before, *self.command()],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        await_that(lambda: self.is_listening() or self.has_ended(), "the receiver listens")
        assert not self.has_ended(), self.log()

    def is_listening(self) -> bool:
        """Whether it takes connections."""
        assert self.process is not None
        table = Path(f"/proc/{self.process.pid}/net/{'udp' if self.kind == 'udp' else 'tcp'}")
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:  # it has ended
            return False
        local = [line.split()[1] for line in lines if line.split()[3] in (LISTENING, BOUND)]
        return f"{self.port:04X}" in {address.rpartition(":")[2] for address in local}

    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """It dies without a chance to write."""
        self._end(signal.SIGKILL)
        self._cut_torn_line()

    def lose(self) -> None:
        """What it wrote is gone, as if it had never been written."""
        self.output.unlink()
        self._messages, self._read = [], 0

    def stop(self) -> None:
        """It ends in order."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """It does nothing any more, while its kernel still takes octets."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(signal.SIGKILL)

    def messages(self) -> list["Message"]:
        """What it wrote, in order; a message that was broken fails the test. Reads only what it had not read."""
        if self.output.exists():
            with self.output.open("rb") as file:
                file.seek(self._read)
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._messages += [_message(line.decode("utf-8")) for line in whole.split(b"\n")]
                self._read += len(whole) + 1
        return list(self._messages)

    def log(self) -> str:
        """What it said."""
        return (self.folder / "receiver.log").read_text(errors="replace")[-3000:]

    def _cut_torn_line(self) -> None:
        if not self.output.exists():
            return
        text = self.output.read_bytes()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            log.info("%s was killed within a message: %d octets of it", type(self).__name__, len(text) - whole)
            os.truncate(self.output, whole)

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
            self._cut_torn_line()


class Rsyslog(Receiver):
    """`driver`: gtls or ossl for syslog over TLS. A RELP message is acknowledged when it is written."""

    driver = "ossl"

    def command(self) -> list[str]:
        """Writes rsyslog.conf."""
        folder, port, ca = self.folder, self.port, self.authority.path
        certificate = self.authority.folder / f"{SERVER}.pem"
        key = certificate.with_suffix(".key")
        tls_module = (
            f'module(load="imtcp" StreamDriver.Name="{self.driver}" StreamDriver.Mode="1" '
            f'StreamDriver.AuthMode="x509/name" PermittedPeer=["{CLIENT}"])'
        )
        relp_tls = (
            f'tls="on" tls.caCert="{ca}" tls.myCert="{certificate}" tls.myPrivKey="{key}" tls.authMode="name" '
            f'tls.permittedPeer=["{CLIENT}"]'
        )
        inputs = {
            "tls": f'{tls_module}\ninput(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")',
            "tcp": f'module(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")',
            "udp": f'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="{port}" ruleset="keep")',
            "relp": f'module(load="imrelp")\ninput(type="imrelp" address="127.0.0.1" port="{port}" '
            f'maxDataSize="{LARGEST}" ruleset="keep" {relp_tls})',
        }
        path = folder / "rsyslog.conf"
        path.write_text(
            f'global(workDirectory="{folder}" maxMessageSize="{LARGEST}" defaultNetstreamDriverCAFile="{ca}" '
            f'defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")\n'
            'template(name="raw" type="string" string="%rawmsg%\\n")\n'
            'ruleset(name="keep" queue.type="Direct") {\n'
            f'  action(type="omfile" file="{self.output}" template="raw" fileCreateMode="0644")\n}}\n'
            f"{inputs[self.kind]}\n"
        )
        modules = next(ROOT.glob("usr/lib/*/rsyslog"))
        return [str(ROOT / "usr/sbin/rsyslogd"), "-n", "-iNONE", "-f", str(path), "-M", f"{modules}:"]


class RsyslogGnuTls(Rsyslog):
    """The same with rsyslog-gnutls, whose peer ends without close_notify."""

    driver = "gtls"


class SyslogNg(Receiver):
    """syslog-ng, syslog over TLS only."""

    def command(self) -> list[str]:
        """Writes syslog-ng.conf."""
        folder, certificate = self.folder, self.authority.folder / f"{SERVER}.pem"
        path = folder / "syslog-ng.conf"
        path.write_text(
            "@version: 3.35\n"
            f"options {{ log-msg-size({LARGEST_OCTETS}); keep-hostname(yes); stats-freq(0); }};\n"
            f'source arrive {{ syslog(ip("127.0.0.1") port({self.port}) transport("tls") flags(store-raw-message) '
            f'log-iw-size(1000) tls(key-file("{certificate.with_suffix(".key")}") cert-file("{certificate}") '
            f'ca-file("{self.authority.path}") peer-verify(required-trusted))); }};\n'
            f'destination keep {{ file("{self.output}" template("${{RAWMSG}}\\n") flush-lines(1)); }};\n'
            "log { source(arrive); destination(keep); flags(flow-control); };\n"
        )
        modules = next(path for path in ROOT.glob("usr/lib/syslog-ng/*") if path.is_dir() and path.name[0].isdigit())
        return [
            *(str(ROOT / "usr/sbin/syslog-ng"), "-F", "--no-caps", "-f", str(path), "--module-path", str(modules)),
            *("-R", str(folder / "persist"), "-p", str(folder / "pid"), "-c", str(folder / "control"), "-e"),
        ]


RECEIVERS: Final = (
    pytest.param(Rsyslog, "tls", id="rsyslog-openssl"),
    pytest.param(RsyslogGnuTls, "tls", id="rsyslog-gnutls"),
    pytest.param(Rsyslog, "relp", id="rsyslog-relp"),
    pytest.param(SyslogNg, "tls", id="syslog-ng"),
)
"""Every one that a delivery is shown against, for parameters `make` and `kind`."""


@dataclass(frozen=True)
class Message:
    """One received message, taken apart. `mark` is the ID by which it is known again."""

    priority: int
    time: str
    host: str
    app: str
    process: str
    msgid: str
    xml: str
    mark: str
    details: dict[str, bytes]


def read_messages(path: Path) -> list[Message]:
    """The messages in a file, one a line; fails for a line that is no whole message."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [_message(line.decode("utf-8")) for line in lines[:-1]]


def _message(line: str) -> Message:
    found = LINE.fullmatch(line)
    assert found, f"broken message of {len(line)} characters: {line[:200]} ... {line[-80:]}"
    marks = [
        item
        for item in etree.fromstring(found[7]).iter("ParticipantObjectIdentification")
        for detail in item.iter("ParticipantObjectDetail")
        if detail.get("type") in ("TrailRecord", "TrailCheckpoint")
    ]
    assert len(marks) == 1
    details = {
        str(detail.get("type")): b64decode(str(detail.get("value")))
        for detail in marks[0].iter("ParticipantObjectDetail")
    }
    mark = str(marks[0].get("ParticipantObjectID"))
    return Message(int(found[1]), found[2], found[3], found[4], found[5], found[6], found[7], mark, details)


def first_of_each(messages: Sequence[Message]) -> list[str]:
    """Marks in the order in which they came first; the same mark twice must be the same message twice."""
    known: dict[str, Message] = {}
    for message in messages:
        assert known.setdefault(message.mark, message) == message
    return list(known)


def await_that(is_so: Callable[[], bool], what: str | Callable[[], str], seconds: float = PATIENCE) -> None:
    """Waits for a condition; fails naming it."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"still not: {what if isinstance(what, str) else what()}"
        time.sleep(0.02)


def free_port() -> int:
    """A port on which nobody listens, kept from everybody that looks for one until this process ends.

    Only a server that asks for SO_REUSEADDR, as these receivers do, can listen there. It is below the range that the
    kernel takes client ports from.
    """
    while True:
        port = random.randrange(20001, 31999)
        kept = socket.socket()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            try:
                kept.bind(("127.0.0.1", port))
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                kept.close()
                continue
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        atexit.register(kept.close)
        return port
