"""`kiosk doctor`: looks at everything the kiosk leans on and says what is wrong and how to mend it."""

import json
import os
import shutil
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from kiosk.access.ladder import complaints, ladder_settings
from kiosk.audit import TrailClient, Verification, verify, verify_stored
from kiosk.cli.doctor_sinks import sink_findings
from kiosk.clock import SystemClock
from kiosk.config.loader import load
from kiosk.config.model import KioskConfig
from kiosk.config.peers import PeerConfig
from kiosk.config.refuse import refusals
from kiosk.errors import ConfigError, ImagingError, KioskError, TrailError
from kiosk.imaging.client import WorkerImaging
from kiosk.operations.neighbours import peer, revocation_complaints
from kiosk.premises import Premises
from readers.doctor import Finding, State, findings

WRONG = 1


def run(options: Namespace) -> int:
    """Prints each finding; exit 1 when something is wrong."""
    found = []
    for finding in _all(Path(options.config)):
        found.append(finding)
        print(_as_json(finding) if options.json else _as_text(finding), flush=True)
    return WRONG if any(finding.state is State.WRONG for finding in found) else 0


def _all(path: Path) -> Iterator[Finding]:
    try:
        config = load(path)
    except ConfigError as error:
        yield Finding(State.WRONG, str(error), "Mend the file; `kiosk config check` reads it again.")
        yield from findings()
        return
    refused = refusals(config)
    if refused:
        yield from (
            Finding(State.WRONG, sentence, "`kiosk run` refuses this; change the file.") for sentence in refused
        )
    else:
        yield Finding(State.OK, f"{path} is in order.")
    yield from findings(specs=config.readers.specs)
    premises = Premises(config)
    yield from _credentials(premises)
    yield from _premises(premises)
    yield from sink_findings(premises)
    yield from _peers(config)


def _credentials(premises: Premises) -> Iterator[Finding]:
    found = complaints(premises.config, premises.clock.now)
    yield from (Finding(State.WRONG, complaint.sentence, complaint.fix) for complaint in found)
    if not found:
        schemes = ladder_settings(premises.config.credentials).schemes
        yield Finding(State.OK, f"Cards and phones are asked, strongest first: {', '.join(schemes)}.")


def _premises(premises: Premises) -> Iterator[Finding]:
    state = premises.state
    try:
        owner = state.owner()
        free = shutil.disk_usage(state).free
    except FileNotFoundError:
        yield Finding(State.UNKNOWN, f"There is no state directory {state} yet; the first start makes it.")
        return
    except (OSError, KeyError) as error:
        yield Finding(State.WRONG, f"The state directory cannot be used: {error}", f"Make {state} usable.")
        return
    if not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(State.WRONG, f"This user may not use the state directory {state}.", f"Do it as {owner}.")
        return
    yield _room(free, premises.config.limits.disk_reserve_bytes)
    yield _trail(premises)
    yield _people(premises)


def _room(free: int, reserve: int) -> Finding:
    if free >= reserve:
        return Finding(State.OK, f"The disk has {free >> 20} MiB left.")
    said = f"The disk has {free >> 20} MiB left; {reserve >> 20} MiB are kept free for the trail."
    return Finding(State.WRONG, said, "Free some space, or lower limits.disk_reserve_bytes.")


def _trail(premises: Premises) -> Finding:
    socket = premises.config.audit.socket
    if socket is None and not premises.trail_path.exists():
        return Finding(State.OK, "There is no audit trail yet; the first start makes it.")
    try:
        found = _verified(premises, socket)
    except TrailError as error:
        if socket is not None:
            return Finding(State.WRONG, str(error), "See `systemctl status kiosk-auditd`, and who may use its socket.")
        return Finding(State.WRONG, str(error), "Put the trail back from its archive, and report this.")
    if found.whole:
        return Finding(State.OK, found.sentence)
    return Finding(State.WRONG, found.sentence, "Keep the file as it is, and report this.")


def _verified(premises: Premises, socket: Path | None) -> Verification:
    if socket is None:
        return verify(premises.trail_path)
    with TrailClient(socket) as trail:
        return verify_stored(trail)


def _people(premises: Premises) -> Finding:
    if not premises.directory_path.exists():
        return Finding(State.WRONG, "Nobody is known here yet.", "kiosk staff bootstrap USER-ID --name NAME --tap")
    try:
        people = premises.directory()
    except KioskError as error:
        return Finding(State.WRONG, str(error), "Put the directory and its key back together.")
    people.close()
    return Finding(State.OK, "The directory of people opens.")


def _peers(config: KioskConfig) -> Iterator[Finding]:
    for sentence in revocation_complaints(config, SystemClock().now()):
        yield Finding(State.WRONG, sentence, "Fetch the authority's newest list, as PEM; `kiosk run` refuses this one.")
    imaging = WorkerImaging()
    try:
        for kind, peers in (("archive", config.archives), ("destination", config.destinations)):
            for configured in peers:
                yield _echo(imaging, kind, configured, config.kiosk.ae_title)
    finally:
        imaging.close()


def _echo(imaging: WorkerImaging, kind: str, configured: PeerConfig, title: str) -> Finding:
    try:
        echoed = imaging.echo(peer(configured, title), Event())
    except ImagingError as error:
        fix = f"Check {configured.host}:{configured.port}, its AE title, and whether it knows ours ({title})."
        return Finding(State.WRONG, f"The {kind} {configured.name} does not answer: {error}", fix)
    return Finding(State.OK, f"The {kind} {configured.name} answers in {echoed.seconds * 1000:.0f} ms.")


def _as_text(finding: Finding) -> str:
    fix = f"\n         {finding.fix}" if finding.fix else ""
    return f"{finding.state.value:7}  {finding.sentence}{fix}"


def _as_json(finding: Finding) -> str:
    return json.dumps({"state": finding.state.value, "sentence": finding.sentence, "fix": finding.fix})
