"""Who is at the other end: certificates on both sides, expired, foreign, replaced; each fault in a sentence."""

import logging
import random
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit.forward import Credentials, Sink, SinkError, tls
from kiosk.audit.forward.octets import OctetChannel
from kiosk.audit.forward.tls import secure
from tests.kiosk.audit.forward.authority import CLIENT, SERVER, Authority
from tests.kiosk.audit.forward.kit import (
    append,
    appending,
    await_arrival,
    await_fault,
    await_settled,
    delivering,
    expected,
    new_trail,
    sink_to,
    status,
)
from tests.kiosk.audit.forward.receivers import RECEIVERS, Receiver, Rsyslog, RsyslogGnuTls, SyslogNg, await_that

log = logging.getLogger(__name__)

LONG = 10_000
TURNS = 16
LONG_PROBE = 30.0
"""Seconds: so long a busy machine's receiver may take to say that it does not admit a certificate."""


@pytest.mark.parametrize(("make", "kind"), RECEIVERS)
def test_certificates_that_expired_are_named_and_replaced_ones_need_no_restart(
    make: type[Receiver], kind: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    receiver = make(tmp_path, authority, kind)
    sink = sink_to(receiver, authority)
    authority.issue(CLIENT, is_expired=True)
    authority.issue(SERVER, is_expired=True)
    with new_trail(tmp_path) as trail, delivering(sink, trail.path, tmp_path) as forwarder:
        append(trail, 20)
        with receiver:
            sentence = await_fault(forwarder, lambda fault: "expired" in fault)
            assert sentence.startswith("Audit sink ARR: the certificate of 127.0.0.1:")
            assert sentence.endswith("Renew it there, or mend authority and server_name here.")
            assert status(forwarder).refused
        authority.issue(SERVER)
        with receiver:
            await_fault(forwarder, lambda fault: "this kiosk's certificate" in fault)
            await_that(lambda: status(forwarder).waiting == 20, "nothing counts as sent")
            assert not receiver.messages()
            authority.issue(CLIENT)
            assert await_arrival(receiver, trail.path) == expected(trail.path)
            await_that(lambda: status(forwarder).fault == "", "the fault is forgiven")
            assert not status(forwarder).refused


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("make", "kind"), RECEIVERS)
def test_ten_thousand_messages_survive_certificates_that_expire_on_either_side(
    make: type[Receiver], kind: str, tmp_path: Path
) -> None:
    chance = random.Random(4711)
    authority = Authority(tmp_path)
    turn = 0
    with (
        new_trail(tmp_path) as trail,
        make(tmp_path, authority, kind) as receiver,
        delivering(sink_to(receiver, authority, 2.0), trail.path, tmp_path) as forwarder,
    ):
        writer = appending(trail, LONG)
        while turn < TURNS or writer.is_alive():
            turn += 1
            time.sleep(chance.uniform(0.05, 1.0))
            ours = turn % 2 == 1
            authority.issue(CLIENT if ours else SERVER, is_expired=True)
            receiver.kill() if turn % 4 < 2 else receiver.stop()
            receiver.start()
            await_fault(forwarder, lambda fault, ours=ours: ("this kiosk's" if ours else "expired") in fault)
            authority.issue(CLIENT if ours else SERVER)
            if not ours:
                receiver.stop()
                receiver.start()
        marks = await_arrival(receiver, trail.path, 60 + LONG / 20)
        await_settled(forwarder, trail.path)
        await_that(lambda: status(forwarder).fault == "", "the fault is forgiven")
    log.info("%d messages, %d certificates, %d came twice", len(set(marks)), turn, len(marks) - len(set(marks)))


def test_a_server_of_another_name_or_authority_gets_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    with Rsyslog(tmp_path, authority, "tls") as receiver:
        good = sink_to(receiver, authority)
        for wrong, said in (
            (authority.credentials(server_name="other.test"), "Hostname mismatch"),
            (replace(authority.credentials(), authority=other.path), "unable to get local issuer|signature failure"),
        ):
            with pytest.raises(SinkError, match=said):
                secure(replace(good, credentials=wrong))
        OctetChannel.open(good).close()


@pytest.mark.parametrize("make", [Rsyslog, RsyslogGnuTls, SyslogNg])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_is_not_admitted_learns_it_before_it_sends(
    make: type[Receiver], version: ssl.TLSVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(sink: Sink, credentials: Credentials) -> ssl.SSLContext:
        context = unlimited(sink, credentials)
        context.maximum_version = version
        return context

    unlimited = tls._context
    monkeypatch.setattr(tls, "_context", limited)
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    stranger, _ = Authority(tmp_path / "other").issue(CLIENT)
    with make(tmp_path, authority, "tls") as receiver:
        good = sink_to(receiver, authority)
        connection = secure(good)
        assert connection.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
        connection.close()
        monkeypatch.setattr(tls, "PROBE_SECONDS", LONG_PROBE)
        for wrong in (Credentials(authority.path, server_name=SERVER), authority.credentials(stranger)):
            with pytest.raises(SinkError, match="this kiosk's certificate"):
                secure(replace(good, credentials=wrong))


def test_a_name_that_the_server_does_not_know_is_not_admitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "PROBE_SECONDS", LONG_PROBE)
    authority = Authority(tmp_path)
    unknown, _ = authority.issue("kiosk-8.test")
    # rsyslog-openssl 8.2302 lets every name in, whatever PermittedPeer says.
    with RsyslogGnuTls(tmp_path, authority, "tls") as receiver:
        sink = replace(sink_to(receiver, authority), credentials=authority.credentials(unknown))
        with pytest.raises(SinkError, match="does not admit this kiosk's certificate"):
            secure(sink)


def test_files_that_will_not_do_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good = authority.credentials()
    assert good.certificate is not None
    nothing, text = tmp_path / "nothing.pem", tmp_path / "text.pem"
    text.write_text("no certificate")
    _, foreign_key = authority.issue("kiosk-9.test")
    sink = sink_to(Rsyslog(tmp_path, authority, "tls"), authority)
    for wrong, said in (
        (replace(good, authority=nothing), "its authority .*nothing.pem cannot be read: No such file"),
        (replace(good, authority=text), "its authority .*text.pem holds no certificate"),
        (replace(good, key=nothing), "its key .*nothing.pem cannot be read"),
        (replace(good, key=foreign_key), "not a certificate in PEM with its own unencrypted key"),
        (replace(good, certificate=text), "not a certificate in PEM"),
        (replace(good, server_name="*"), "Hostname mismatch|nobody listens"),
    ):
        with pytest.raises(SinkError, match=said):
            secure(replace(sink, credentials=wrong))
