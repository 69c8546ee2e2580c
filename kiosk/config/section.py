"""What every table of kiosk.toml has in common: values that are checked when they are made."""

from dataclasses import dataclass
from typing import get_type_hints

from kiosk.errors import ConfigError


@dataclass(frozen=True)
class Section:
    """A table of kiosk.toml. Construction raises ConfigError, beginning with the key, for a value that will not do."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            for check in getattr(hint, "__metadata__", ()):
                if complaint := check(getattr(self, name)):
                    raise ConfigError(f"{name} must be {complaint}.")
