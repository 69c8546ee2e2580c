import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from readers.errors import ReaderSpecError
from readers.pcsc_reader import PcscReader
from readers.registry import BUILT_IN, backends, open_reader
from readers.simulated import SimulatedReader


def declare(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    """Makes other distributions declare these backends."""
    found = EntryPoints(EntryPoint(name, value, "readers.backends") for name, value in points.items())
    monkeypatch.setattr("readers.registry.entry_points", lambda group: found.select(group=group))


def test_a_specification_names_a_backend_and_hands_over_the_rest() -> None:
    reader = open_reader("pcsc:ACR1252*")
    assert isinstance(reader, PcscReader)
    assert reader.spec == "pcsc:ACR1252*"
    assert isinstance(open_reader("simulated"), SimulatedReader)


def test_backends_are_there_without_the_metadata_of_a_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch)
    assert backends() == BUILT_IN
    assert isinstance(open_reader("simulated"), SimulatedReader)


def test_another_distribution_may_bring_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, wall="readers.simulated:open_spec")
    assert isinstance(open_reader("wall"), SimulatedReader)


def test_a_misspelt_backend_is_answered_with_the_nearest() -> None:
    with pytest.raises(ReaderSpecError, match=r'"pcs".*did you mean "pcsc"'):
        open_reader("pcs:ACR*")


@pytest.mark.parametrize("spec", ["osdp", "osdp:/dev/ttyUSB0:0", "wiegand:gpio"])
def test_a_wall_reader_on_a_line_is_said_not_to_be_there_yet(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReaderSpecError, match=r"cannot be used yet.*readers/wall_reader\.py"):
        open_reader(spec)
    declare(monkeypatch, osdp="readers.simulated:open_spec", wiegand="readers.simulated:open_spec")
    monkeypatch.setattr("readers.simulated.open_spec", lambda _: SimulatedReader())
    assert isinstance(open_reader(spec), SimulatedReader), "another distribution may bring it"


def test_an_empty_or_hostile_name_is_answered_in_plain_text() -> None:
    with pytest.raises(ReaderSpecError, match="did you mean"):
        open_reader("")
    with pytest.raises(ReaderSpecError) as caught:
        open_reader("\x1b]52;c;x\x07nfc")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("place", ["no.such.module:open_spec", "readers.simulated:no_such_name"])
def test_a_backend_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    declare(monkeypatch, broken=place)
    with pytest.raises(ReaderSpecError, match=r'"broken" cannot be loaded: .*no'):
        open_reader("broken")


@pytest.mark.parametrize(
    "statement",
    [
        "import readers",
        "import readers.registry, readers.watch, readers.text, readers.tlv, readers.atr, readers.feedback",
        "import readers.doctor, readers.vpcd_guard, readers.virtual.vpcd",
        "import readers.registry as r; r.open_reader('simulated')",
    ],
)
def test_hardware_libraries_are_loaded_only_when_named(statement: str) -> None:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "readers" in loaded
    assert not {"smartcard", "nfc", "textual", "pydicom", "kiosk"} & set(loaded)
