"""The door of every string a person reads: ready for gettext, English until a catalogue is installed."""

import gettext

_catalogue = gettext.NullTranslations()


def _(text: str) -> str:
    """The text in the language of this kiosk."""
    return _catalogue.gettext(text)


def plural(one: str, many: str, count: int) -> str:
    """`one` or `many` with its `{count}` filled in, as the language counts."""
    return _catalogue.ngettext(one, many, count).format(count=count)
