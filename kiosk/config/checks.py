"""What a setting's value must be: each check gives a complaint that ends the sentence "NAME must be …", or nothing."""

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], str]

# PS3.3 C.12.1.1.2, tables C.12-2 to C.12-5.
CHARACTER_SETS = frozenset(
    ["", "ISO_IR 6", "ISO_IR 13", "ISO_IR 166", "ISO_IR 192", "GB18030", "GBK"]
    + [f"ISO_IR {number}" for number in (100, 101, 109, 110, 126, 127, 138, 144, 148, 203)]
    + [f"ISO 2022 IR {number}" for number in (6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148)]
    + [f"ISO 2022 IR {number}" for number in (149, 159, 166, 203)]
)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?|[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?")
_MESSAGE_ID = re.compile(r"[!-~]{1,32}")
_KEY = re.compile(r"[0-9a-f]{32,}")
_USER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_KEY_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def between(low: float, high: float) -> Check:
    """A number from `low` to `high`, both included. NaN is neither."""
    return lambda value: "" if low <= value <= high else f"between {low:g} and {high:g}, not {value:g}"


def text(longest: int) -> Check:
    """Printable text of 1 to `longest` characters without spaces at its ends."""

    def check(value: str) -> str:
        fits = 1 <= len(value) <= longest and value.isprintable() and value == value.strip()
        return "" if fits else f"1 to {longest} printable characters"

    return check


def optional_text(longest: int) -> Check:
    """Text as above, or empty."""
    return lambda value: text(longest)(value) if value else ""


def ae_title(value: str) -> str:
    """PS3.5 6.2, VR AE: 1 to 16 characters of the default repertoire, no backslash, spaces at the ends meaningless."""
    fits = 1 <= len(value) <= 16 and all(" " <= character <= "~" and character != "\\" for character in value)
    return "" if fits and value == value.strip() else "an AE title: 1 to 16 ASCII characters without backslash"


def host(value: str) -> str:
    """A host name or an IP address; whether it resolves is not asked here."""
    return "" if len(value) <= 253 and _HOST.fullmatch(value) else "a host name or an IP address"


def optional_host(value: str) -> str:
    """A host as above, or empty."""
    return host(value) if value else ""


def hosts(values: tuple[str, ...]) -> str:
    """Hosts as above, none twice."""
    fits = len(set(values)) == len(values) and not any(map(host, values))
    return "" if fits else "a list of host names or IP addresses"


def peer_names(values: tuple[str, ...]) -> str:
    """Names of peers, none twice; whether there are such peers is asked elsewhere."""
    fits = len(set(values)) == len(values) and not any(text(64)(value) for value in values)
    return "" if fits else "a list of names of archives"


def one_of(*words: str) -> Check:
    """One of these words."""
    named = " or ".join(f'"{word}"' for word in words)
    return lambda value: "" if value in words else named


def character_set(value: str) -> str:
    """A value of Specific Character Set (0008,0005), several separated by backslashes."""
    fits = value and all(term in CHARACTER_SETS for term in value.split("\\"))
    return "" if fits else "a Specific Character Set such as ISO_IR 192 or ISO_IR 100"


def reader_specs(values: tuple[str, ...]) -> str:
    """One reader or more, none twice."""
    if not values or not all(value and len(value) <= 200 and value.isprintable() for value in values):
        return 'a list of readers such as ["pcsc"]'
    return "" if len(set(values)) == len(values) else "a list that names no reader twice"


def hexadecimal(least: int, most: int) -> Check:
    """`least` to `most` bytes, two hexadecimal digits each."""

    def check(value: str) -> str:
        fits = re.fullmatch(r"([0-9A-Fa-f]{2})*", value) and least <= len(value) // 2 <= most
        return "" if fits else f"{least} to {most} bytes, two hexadecimal digits each"

    return check


def key_name(value: str) -> str:
    """What "<name>.key" can be called. What looks like the key itself is no name: names are printed."""
    fits = _KEY_NAME.fullmatch(value) and not _KEY.fullmatch(value)
    return "" if fits else "the name of a key: small letters, digits, - and _"


def optional_key_name(value: str) -> str:
    """A name as above, or empty."""
    return key_name(value) if value else ""


def messagings(values: tuple[str, ...]) -> str:
    """Ways of DESFire to authenticate, none twice."""
    fits = values and len(set(values)) == len(values) and set(values) <= {"ev1", "ev2"}
    return "" if fits else 'a list of "ev2" and "ev1", the one to try first in front'


def user_names(values: tuple[str, ...]) -> str:
    """Names of users of this machine, none twice."""
    fits = len(set(values)) == len(values) and all(_USER_NAME.fullmatch(value) for value in values)
    return "" if fits else 'a list of users such as ["kiosk"]'


def optional_user_name(value: str) -> str:
    """The name of a user or group of this machine, or empty."""
    return "" if not value or _USER_NAME.fullmatch(value) else "a name such as kiosk"


def message_id(value: str) -> str:
    """RFC 5424 6.2.7: MSGID."""
    return "" if _MESSAGE_ID.fullmatch(value) else "1 to 32 printable ASCII characters without spaces"
