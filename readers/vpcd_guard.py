"""Is there a virtual reader on this machine into which anybody on the network could put a card?

vsmartcard's driver for pcscd listens on all addresses and believes whoever connects. It belongs on test machines only.
"""

import re
from dataclasses import dataclass
from pathlib import Path

DRIVER = "libifdvpcd"
CONFIGURATION = Path("etc/reader.conf.d")
DEFAULT_PORTS = frozenset((35963, 35964))
SLOTS = 2
LISTEN = "0A"
PORT = re.compile(r"^\s*(?:DEVICENAME\s+/dev/null:|CHANNELID\s+)(0x[0-9a-f]+|\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class VpcdExposure:
    """`configured`: files that give pcscd the driver. `listening`: its TCP ports that are open right now.

    pcscd is started by its first client: a driver that is merely configured opens its ports when the kiosk connects.
    """

    configured: tuple[Path, ...]
    listening: tuple[int, ...]

    @property
    def is_open(self) -> bool:
        """True when somebody can insert a card at this moment."""
        return bool(self.listening)


def vpcd_exposure(root: Path = Path("/")) -> VpcdExposure:
    """Looks at pcscd's configuration and at the listening sockets of the machine under `root`; opens no connection."""
    configured: list[Path] = []
    ports = set(DEFAULT_PORTS)
    for path in sorted((root / CONFIGURATION).glob("*")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # a directory, or a file that only root may read
            continue
        text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        if DRIVER in text:
            configured.append(path)
            for number in PORT.findall(text):
                ports.update(range(int(number, 0), int(number, 0) + SLOTS))
    return VpcdExposure(tuple(configured), tuple(sorted(ports & listening_ports(root))))


def vpcd_port_open(root: Path = Path("/")) -> bool:
    """True when a virtual reader waits for cards from the network."""
    return vpcd_exposure(root).is_open


def listening_ports(root: Path = Path("/")) -> set[int]:
    """TCP ports in LISTEN state, IPv4 and IPv6 (proc(5), /proc/net/tcp)."""
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (root / "proc/net" / table).read_text(encoding="ascii").splitlines()[1:]
        except FileNotFoundError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTEN:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
