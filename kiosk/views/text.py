"""Text of foreign origin on its way to a screen. It was made safe at the border; here it is made safe again."""

from readers.text import safe_text


def one_line(text: str, limit: int = 256) -> str:
    """Plain text of at most `limit` characters, without control or direction characters, runs of blanks made one."""
    return " ".join(safe_text(text, limit).split())


def joined(*parts: str) -> str:
    """The parts that are there, with a middle dot between them."""
    return " · ".join(part for part in parts if part)
