"""The doctor tries every sink of the audit trail and looks at the certificates shown there."""

from pathlib import Path

from kiosk.cli.doctor_sinks import sink_findings
from kiosk.config.loader import load
from kiosk.premises import Premises
from readers.doctor import State
from tests.kiosk.audit.forward.authority import CLIENT, SERVER, Authority
from tests.kiosk.audit.forward.receivers import RsyslogGnuTls
from tests.kiosk.cli.test_delivery import LEAST, configured

SINK = """[[audit.sinks]]
name = "ARR"
kind = "tls"
host = "127.0.0.1"
port = PORT
authority = "ca.pem"
certificate = "kiosk.pem"
key = "kiosk.key"
server_name = "SERVER"
"""


def test_a_sink_that_admits_the_kiosk_is_in_order_until_its_certificate_ends(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    config = tmp_path / "kiosk.toml"
    with RsyslogGnuTls(tmp_path, authority, "tls") as receiver:
        config.write_text(LEAST + SINK.replace("PORT", str(receiver.port)).replace("SERVER", SERVER))
        premises = Premises(load(config))
        (missing,) = sink_findings(premises)
        assert (missing.state, missing.fix) == (State.WRONG, "Put the file there.")
        assert "its certificate " in missing.sentence
        authority.issue(CLIENT, file="kiosk")
        good, ending = sink_findings(premises)
        assert (good.state, good.sentence) == (
            State.OK,
            f"The audit sink ARR at 127.0.0.1:{receiver.port} admits this kiosk.",
        )
        assert ending.state is State.WRONG  # the tests' certificates are good for a day
        assert "kiosk.pem that audit sink ARR is shown ends on 20" in ending.sentence
        authority.issue("stranger.test", file="kiosk")
        refused, _ = sink_findings(premises)
        assert refused.state is State.WRONG
        assert "it does not admit this kiosk's certificate." in refused.sentence
        assert not receiver.output.exists()


def test_a_dead_sink_and_one_that_everybody_reads_are_named(tmp_path: Path) -> None:
    premises = Premises(load(configured(tmp_path, "")))
    file, dead = sink_findings(premises)
    assert (file.state, dead.state) == (State.OK, State.WRONG)
    assert "nobody listens at 127.0.0.1:" in dead.sentence
    assert dead.fix == "Start the receiver, or mend host and port."
    text = (tmp_path / "kiosk.toml").read_text().replace('"tcp"', '"udp"')
    (tmp_path / "kiosk.toml").write_text(text)
    _, lab = sink_findings(Premises(load(tmp_path / "kiosk.toml")))
    assert lab.state is State.UNKNOWN
    assert "not encrypted" in lab.sentence
