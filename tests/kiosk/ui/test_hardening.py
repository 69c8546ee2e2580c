"""There is no way out of the terminal, and no text in it is read as markup."""

import ast
import logging
import re
from pathlib import Path

import pytest
from textual.app import App
from textual.events import Paste
from textual.widgets import Input

import kiosk.ui
from kiosk.ui.app import KioskApp
from kiosk.ui.screens.lock import LockScreen
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.views.refusals import STOPPED
from tests import phantoms
from tests.fakes import FakeOperations, Script
from tests.kiosk.ui.kit import Terminal, terminal

SOURCES = sorted(Path(kiosk.ui.__file__).parent.rglob("*.py"))
WAYS_OUT = (
    "ctrl+q", "ctrl+c", "super+c", "ctrl+p", "ctrl+z", "ctrl+d", "ctrl+x", "ctrl+v", "ctrl+shift+a", "ctrl+a", "ctrl+s",
    "ctrl+backslash", "ctrl+l", "ctrl+r", "f5", "f6", "f7", "f11", "q", "escape", "tab", "shift+tab",
)  # fmt: skip
DANGEROUS_CALLS = {"call_from_thread", "notify", "from_markup", "copy_to_clipboard", "deliver_text", "open_url"}
COLOUR = re.compile(r"(?:color|background|border[a-z-]*|tint):[^;$\n]*(?:#[0-9a-fA-F]{3,8}|rgba?\()")
MARKUP_WIDGETS = {"Static", "Label", "Button", "Markdown", "RichLog", "Log", "OptionList", "DataTable", "Tree"}
ONLY_IN = {"Static": "plain_text.py", "Button": "press.py", "Input": "field.py"}


@pytest.mark.parametrize("place", ["lock", "field", "rows"])
async def test_every_default_key_of_textual_leaves_the_terminal_running_and_writes_nothing(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    copied: list[str] = []
    monkeypatch.setattr(App, "copy_to_clipboard", lambda _app, text: copied.append(text))
    async with terminal() as kiosk:
        if place != "lock":
            await kiosk.sign_in()
        if place == "rows":
            await kiosk.query()
        await kiosk.press(*WAYS_OUT)
        await kiosk.pilot.pause()
        assert kiosk.app.is_running
        assert kiosk.app._exit is False
        assert kiosk.shows(LockScreen if place == "lock" else StudiesScreen)
        assert copied == []
        assert list(tmp_path.rglob("*")) == []


async def test_bindings_that_textual_brings_lead_nowhere_and_each_of_ours_has_an_id() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        for node in (kiosk.app, kiosk.app.screen, *kiosk.app.screen.walk_children()):
            for binding in node._bindings.key_to_bindings.values():
                for one in binding:
                    assert one.id, f"{type(node).__name__} binds {one.key} to {one.action} without an id"
                    assert not {"quit", "command_palette", "screenshot", "copy_text", "copy", "cut", "paste"} & {
                        one.action.removeprefix("app.").removeprefix("screen.")
                    }


async def test_actions_that_lead_out_do_nothing_even_when_they_are_run(tmp_path: Path) -> None:
    async with terminal() as kiosk:
        for action in ("quit", "help_quit", "suspend_process", f"screenshot(None, '{tmp_path}')", "screen.copy_text"):
            await kiosk.app.run_action(action if "." in action else f"app.{action}")
        await kiosk.pilot.pause()
        assert kiosk.app.is_running
        assert list(tmp_path.iterdir()) == []


async def test_what_is_pasted_becomes_plain_text() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        field = kiosk.app.screen.query_one("#patient_name", Input)
        field.post_message(Paste("Do\x1b]52;c;x\x07e\u202e\nnext"))
        await kiosk.until(lambda: field.value)
        assert field.value == "Doe next"


async def test_markup_in_data_is_shown_as_it_is_and_runs_nothing() -> None:
    text = "[@click=app.present('f4')]HIT[/] [/JANE] [bold"
    hostile = phantoms.study(1, description=text)
    async with terminal(Script([hostile])) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.sees("[@click=app.pre")
        await kiosk.open_first_study()
        assert text in kiosk.words("#study")
        await kiosk.click("#study", offset=(50, 0))
        await kiosk.pilot.pause()
        assert kiosk.fake.called("present") == []


async def test_a_crash_says_sorry_without_one_datum_and_signs_the_person_out(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "Doe^Secret"

    def broken() -> None:
        patient_of_this_frame = secret
        raise KeyError(patient_of_this_frame)

    fake = FakeOperations()
    app = KioskApp(fake, image_mode="halfcell")

    async def use() -> None:
        async with app.run_test() as pilot:
            kiosk = Terminal(app, fake, pilot)
            await kiosk.sign_in()
            app.call_later(broken)
            await kiosk.until(lambda: app.return_code == 1)

    with caplog.at_level(logging.ERROR), pytest.raises(KeyError):
        await use()
    assert app.return_code == 1
    app.courier._thread.join(60)  # it was told to end, and waited for a little
    assert len(fake.called("sign_out")) == 1
    printed = capsys.readouterr()
    assert secret not in caplog.text + printed.out + printed.err
    assert "KeyError" in caplog.text
    assert "in broken" in caplog.text
    assert STOPPED.split(".")[0] in printed.out + printed.err


async def test_a_worker_that_breaks_ends_the_session_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_study: object) -> tuple[()]:
        raise ZeroDivisionError("Doe^Secret")

    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        kiosk.fake.script.series = broken
        await kiosk.press("home", "enter")
        await kiosk.until(lambda: kiosk.shows(LockScreen))
        await kiosk.until(lambda: len(kiosk.fake.called("sign_out")) == 1)
        assert "Doe^Secret" not in caplog.text
        assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_source_of_the_terminal_reads_markup_or_calls_from_threads(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in DANGEROUS_CALLS, f"{source.name}:{node.lineno} calls {name}"
            assert name not in MARKUP_WIDGETS | {"Input"}, f"{source.name}:{node.lineno} makes a {name}"
            for keyword in node.keywords:
                if keyword.arg == "markup":
                    assert isinstance(keyword.value, ast.Constant)
                    assert keyword.value.value is False
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = getattr(base, "id", "")
                assert name not in MARKUP_WIDGETS | {"Input"} or ONLY_IN.get(name) == source.name
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            if any(module.split(".")[0] == "textual_image" for module in modules):
                assert source.name == "preview.py"


def test_colours_come_from_the_theme_alone() -> None:
    sheets = [path for path in SOURCES if path.name != "theme.py"]
    sheets += Path(kiosk.ui.__file__).parent.rglob("*.tcss")
    for sheet in sheets:
        literal = COLOUR.search(sheet.read_text("utf-8"))
        assert literal is None, f"{sheet.name}: {literal}"


async def test_a_demonstration_is_left_from_the_keyboard_and_a_kiosk_is_not() -> None:
    async with terminal(demo=False) as kiosk:
        await kiosk.press("f10")
        assert kiosk.app.is_running
    async with terminal() as kiosk:
        await kiosk.press("f10")
        await kiosk.until(lambda: not kiosk.app.is_running)
