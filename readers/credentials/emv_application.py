"""What a contactless payment application says on the way to its records (EMV Book B, Book 1 12.3, Book 3 6.5.8, 10.2).

Answers stay in `Response` and `Tlv` objects, which show nothing of themselves: they hold account data.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from readers.apdu import Command, Response
from readers.errors import TlvError
from readers.tlv import Tlv, build, find, parse

DIRECTORY = b"2PAY.SYS.DDF01"
FALLBACK_APPLICATIONS = tuple(
    bytes.fromhex(name) for name in ("A0000000031010", "A0000000041010", "A000000025", "A0000006581010")
)
MASTERCARD = bytes.fromhex("A000000004")
MOST_APPLICATIONS = 6
MOST_RECORDS = 16
LARGEST_LIST = 252
NO_PRIORITY = 16

TAG_ENTRY = 0x61
TAG_NAME = 0x4F
TAG_PRIORITY = 0x87
TAG_CONTROL = 0x6F
TAG_OPTIONS = 0x9F38
TAG_COMMAND = 0x83
TAG_LOCATOR = 0x94
FORMAT_1 = 0x80
FORMAT_2 = 0x77
TAG_RECORD = 0x70
TAG_QUALIFIERS = 0x9F66
# Chip over contactless, no signature asked for; the terminal understands verification on the owner's own device.
VALUES = {TAG_QUALIFIERS: bytes.fromhex("36004000")}


@dataclass(frozen=True)
class RecordRange:
    """One entry of the application file locator: records `first` to `last` of a short file (1 to 30)."""

    short_file: int
    first: int
    last: int

    def commands(self) -> Iterator[Command]:
        """READ RECORD for each (EMV Book 3, 6.5.11)."""
        for record in range(self.first, self.last + 1):
            yield Command(0x00, 0xB2, record, self.short_file << 3 | 0x04, le=0)


def select(name: bytes) -> Command:
    """SELECT by name, first occurrence."""
    return Command(0x00, 0xA4, 0x04, 0x00, name, le=0)


def applications(directory: Response) -> tuple[bytes, ...]:
    """The application names of a PPSE, most wanted first; raises TlvError for one that is no directory."""
    objects = objects_of(directory)
    if find(objects, TAG_CONTROL) is None:
        raise TlvError("Not a directory of applications")
    found: list[tuple[int, bytes]] = []
    for entry in _entries(objects):
        name, priority = find(entry.children, TAG_NAME), find(entry.children, TAG_PRIORITY)
        if name is not None and 5 <= len(name) <= 16:
            found.append(((priority[0] & 0x0F if priority else 0) or NO_PRIORITY, name))
    return tuple(name for _priority, name in sorted(found, key=lambda item: item[0])[:MOST_APPLICATIONS])


def processing_options(control: Response) -> bytes:
    """Values for the PDOL of a selected application, empty without one; raises TlvError."""
    objects = objects_of(control)
    if find(objects, TAG_CONTROL) is None:
        raise TlvError("Not an application")
    return _filled(find(objects, TAG_OPTIONS) or b"")


def get_processing_options(values: bytes) -> Command:
    """GET PROCESSING OPTIONS, which a card counts as a beginning; what completes a payment is never sent."""
    return Command(0x80, 0xA8, 0x00, 0x00, build(TAG_COMMAND, values), le=0)


def records(options: Response) -> tuple[RecordRange, ...]:
    """Where the records are, from an answer in format 1 or 2 (EMV Book 3, 6.5.8.4); raises TlvError."""
    item = template_of(options)
    if item.tag == FORMAT_1:
        return _located(item.value[2:])
    if item.tag == FORMAT_2:
        return _located(find(item.children, TAG_LOCATOR) or b"")
    raise TlvError("Neither format of processing options")


def template_of(response: Response) -> Tlv:
    """The one data object that holds the others (EMV Book 3, 6.5.8.4, 6.5.11.4); raises TlvError as `objects_of` does.

    Where its length is wrong, some of them stand behind it: which of them the card meant, nobody can say.
    """
    objects = objects_of(response)
    if len(objects) != 1:
        raise TlvError("One template was expected")
    return objects[0]


def objects_of(response: Response) -> tuple[Tlv, ...]:
    """The data objects of an answer. Raises TlvError that carries none of the answer's bytes in its traceback."""
    objects = _parsed(response)
    if objects is None:
        raise TlvError("An answer that cannot be read")
    return objects


def _parsed(response: Response) -> tuple[Tlv, ...] | None:
    try:
        return parse(response.data)
    except TlvError:
        return None


def _entries(objects: tuple[Tlv, ...]) -> Iterator[Tlv]:
    for item in objects:
        if item.tag == TAG_ENTRY:
            yield item
        else:
            yield from _entries(item.children)


def _filled(options: bytes) -> bytes:
    """Values without tags for a list of tags and lengths (EMV Book 3, 5.4); what is not known is zeros."""
    values, position = b"", 0
    while position < len(options):
        start = position
        position += 1
        if options[start] & 0x1F == 0x1F:
            while position < len(options) and options[position] & 0x80:
                position += 1
            position += 1
        if position >= len(options):
            raise TlvError("A list of data objects that breaks off")
        tag, size = int.from_bytes(options[start:position], "big"), options[position]
        values += VALUES.get(tag, b"")[:size].ljust(size, b"\x00")
        position += 1
        if len(values) > LARGEST_LIST:  # here and not at the end: filling a list of 32 KiB would take half a minute
            raise TlvError("A list of data objects that no command can carry")
    return values


def _located(locator: bytes) -> tuple[RecordRange, ...]:
    if len(locator) % 4:
        raise TlvError("A file locator that breaks off")
    ranges = []
    for start in range(0, len(locator), 4):
        short_file, first, last = locator[start] >> 3, locator[start + 1], locator[start + 2]
        if not 1 <= short_file <= 30 or not 1 <= first <= last:
            raise TlvError("A file locator that points nowhere")
        ranges.append(RecordRange(short_file, first, last))
    if sum(item.last - item.first + 1 for item in ranges) > MOST_RECORDS:
        raise TlvError("More records than any card has")
    return tuple(ranges)
