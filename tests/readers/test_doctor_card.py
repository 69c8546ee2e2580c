"""What the doctor says of a card that lies on a reader."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from readers.__main__ import as_json, lines, main
from readers.atr import contactless_atr
from readers.credentials.claim import Schemes
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.pkoc import PkocScheme
from readers.doctor_card import CardReport, Seen, examine, kind
from readers.finding import Finding, State
from readers.reader import Reader
from readers.registry import open_reader
from readers.simulated import SimulatedReader
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.pn532_uart import Pn532Uart
from readers.virtual.uid_card import UidCard
from tests.pcscd import PcscWithVpcd
from tests.readers.cards import EchoCard, ScriptedCard

BADGE = UidCard(Uid.from_hex("04A1B2C3D4E580"))
PATIENCE = 60.0


def schemes() -> Schemes:
    return (PkocScheme(RandomNonceSource(), time.monotonic), UidScheme())


def seen_by(reader: Reader, seconds: float = PATIENCE) -> list[Seen]:
    return examine(reader, schemes(), seconds, time.monotonic)


def report_of(card: VirtualCard) -> CardReport:
    reader = SimulatedReader()
    reader.open()
    reader.insert(card)
    (report,) = seen_by(reader)
    assert isinstance(report, CardReport)
    return report


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[Pn532Uart]:
    with Pn532Uart(tmp_path) as running:
        yield running


def test_a_plain_badge_is_what_its_atr_says_and_proves_nothing() -> None:
    report = report_of(BADGE)
    assert report.what == "MIFARE Classic 1K"
    assert (report.uid, report.takes_apdus, report.applications) == (BADGE.uid, False, ())
    assert [(each.scheme, each.answered) for each in report.schemes] == [("pkoc", False), ("iso14443", True)]
    assert report.schemes[1].words == "identified, not proved"
    assert all(each.milliseconds >= 0 for each in report.schemes)


def test_a_phone_proves_its_key_and_shows_its_application() -> None:
    report = report_of(PkocPhone.generate())
    assert report.uid is not None
    assert report.uid.is_random
    assert report.schemes[0].words.startswith("proved, pkoc:")
    assert report.applications == ("PKOC",)


@pytest.mark.parametrize(
    ("historical", "name"),
    [
        ("8073C021C057597562694B6579", "YubiKey"),
        ("C1052F2F01BCD6", "MIFARE Plus"),
        ("6D79636172643A", "ISO/IEC 14443-4 card"),
    ],
)
def test_a_card_is_named_by_its_historical_bytes(historical: str, name: str) -> None:
    card = ScriptedCard([], uid=BADGE.uid)
    card.atr = contactless_atr(bytes.fromhex(historical))
    assert kind(card, time.monotonic) == name


def test_a_card_that_leaves_while_it_is_looked_at_is_reported_as_far_as_it_went() -> None:
    report = report_of(EchoCard(lambda raw: b""))
    assert report.applications == ()
    assert not any(each.words.startswith("proved") for each in report.schemes)


def test_no_card_is_no_finding_within_the_time_that_was_given() -> None:
    started = time.monotonic()
    assert seen_by(SimulatedReader(), 0.2) == []
    assert time.monotonic() - started < PATIENCE


def test_a_device_that_is_missing_or_busy_is_a_finding_with_its_fix(chip: Pn532Uart, tmp_path: Path) -> None:
    (missing,) = seen_by(open_reader(f"nfcpy:tty:{tmp_path}/none:pn532"))
    assert missing == Finding(State.WRONG, "The NFC reader is not plugged in.", "plug the reader in")
    holder = open_reader(chip.spec)
    holder.open()
    (busy,) = seen_by(open_reader(chip.spec))
    holder.close()
    assert isinstance(busy, Finding)
    assert "in use by another program" in busy.sentence
    assert "as root" in busy.fix


def test_everything_is_printed_and_everything_is_in_the_json() -> None:
    report = report_of(PkocPhone.generate())
    assert report.uid is not None
    text = "\n".join(lines([report]))
    for words in ("card    ", report.uid.hex(), "random", "ATR 3B", "pkoc", " ms ", "answers to: PKOC"):
        assert words in text
    (line,) = as_json([report])
    told = json.loads(line)
    assert told["uid"] == report.uid.hex()
    assert told["random"] is True
    assert told["schemes"][0]["scheme"] == "pkoc"
    assert told["schemes"][0]["answered"] is True
    assert told["schemes"][0]["ms"] >= 0
    (line,) = as_json([Finding(State.WRONG, "Broken.", "mend it")])
    assert json.loads(line) == {"finding": "wrong", "sentence": "Broken.", "fix": "mend it"}


def test_the_command_describes_a_card_on_a_serial_reader(chip: Pn532Uart, capsys: pytest.CaptureFixture[str]) -> None:
    chip.insert(BADGE)
    main([chip.spec, "--wait", str(PATIENCE), "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    card = next(each for each in told if "card" in each)
    assert (card["card"], card["backend"]) == ("MIFARE Classic 1K", "nfcpy")
    assert card["uid"] == BADGE.uid.hex()
    assert any(chip.spec in each.get("sentence", "") for each in told)
    assert any("serial port" in each.get("sentence", "") for each in told)


def test_the_command_describes_a_card_on_pcscd(
    pcsc_with_vpcd: PcscWithVpcd, capsys: pytest.CaptureFixture[str]
) -> None:
    pcsc_with_vpcd.insert(PkocPhone.generate())
    main([pcsc_with_vpcd.spec, "--wait", str(PATIENCE)])
    printed = capsys.readouterr().out
    assert "card    phone, watch or card with a random number" in printed
    assert "answers to: PKOC" in printed


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_a_wait_that_is_no_time_is_misuse(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["simulated", "--wait", seconds])
    assert "--wait: 0 to 86400 seconds, please" in capsys.readouterr().err


def test_an_unknown_specification_fails_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["osdp:/dev/ttyUSB0", "--wait", "0"]) == 1
    printed = capsys.readouterr().out
    assert "cannot be used yet" in printed
    assert "No card lies on a reader." in printed
