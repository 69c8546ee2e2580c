"""Sizes, rates and durations in words."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size_text(count: float) -> str:
    """Bytes, in powers of 1000: "812 B", "1.4 MB"."""
    value = max(0.0, float(count))
    unit = 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    if unit == 0 or value >= 99.5:
        return f"{value:.0f} {_UNITS[unit]}"
    return f"{value:.1f} {_UNITS[unit]}"


def rate_text(bytes_a_second: float) -> str:
    """A rate: "3.2 MB/s"."""
    return f"{size_text(bytes_a_second)}/s"


def duration_text(seconds: float) -> str:
    """Whole seconds as "0:42", "12:05" or "1:02:03"; never negative."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}"


def count_text(count: int | None) -> str:
    """A count, or "?" for one that the archive did not give."""
    return "?" if count is None else str(count)
