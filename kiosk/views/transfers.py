"""Pushes under way, in words."""

from collections.abc import Iterable

from kiosk.operations.facts import FailedInstance, TransferProgress, TransferState
from kiosk.views.columns import Column
from kiosk.views.names import short_name
from kiosk.views.patient import identifier_text
from kiosk.views.quantities import duration_text, rate_text, size_text
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

TRANSFER_COLUMNS = (
    Column("state", _("State"), 10),
    Column("patient", _("Patient"), 20, weight=3),
    Column("study", _("Study"), 12, weight=2),
    Column("destination", _("To"), 12, weight=1),
    Column("instances", _("Instances"), 11, right=True),
    Column("failed", _("Failed"), 6, right=True),
    Column("bytes", _("Bytes"), 19, right=True),
    Column("left", _("Left"), 7, right=True),
)
FAILURE_COLUMNS = (
    Column("instance", _("SOP Instance UID"), 30, weight=1),
    Column("reason", _("The destination said"), 30, weight=1),
)


def may_cancel(transfer: TransferProgress) -> bool:
    """True while there is something to stop."""
    return not transfer.state.is_final


def may_retry(transfer: TransferProgress) -> bool:
    """True when something was not stored and nothing more happens by itself."""
    return transfer.state in (TransferState.FAILED, TransferState.CANCELLED) or (
        transfer.state.is_final and transfer.instances_failed > 0
    )


def most_pressing(transfers: Iterable[TransferProgress]) -> TransferProgress | None:
    """The one that the bar shows: the oldest that runs, else the oldest that waits, to be sent or to be confirmed, else
    the latest that ended."""
    chosen: TransferProgress | None = None
    for transfer in transfers:
        if chosen is None or _rank(transfer) > _rank(chosen) or (transfer.state.is_final and chosen.state.is_final):
            chosen = transfer
    return chosen


def _rank(transfer: TransferProgress) -> int:
    if transfer.state in (TransferState.SENDING, TransferState.FETCHING):
        return 3
    if transfer.state.is_final:
        return 0
    return 2 if transfer.state is TransferState.WAITING else 1


def left_text(transfer: TransferProgress) -> str:
    """The time left, "?" when it cannot be told yet, nothing when it is over."""
    if transfer.state.is_final:
        return ""
    return "?" if transfer.seconds_left is None else duration_text(transfer.seconds_left)


def transfer_cells(transfer: TransferProgress) -> tuple[str, ...]:
    """One text for each of TRANSFER_COLUMNS."""
    return (
        _(transfer.state.value),
        joined(short_name(transfer.patient.name), identifier_text(transfer.patient)),
        one_line(transfer.study_description),
        one_line(transfer.destination),
        f"{transfer.instances_done}/{transfer.instances_total}",
        str(transfer.instances_failed),
        f"{size_text(transfer.bytes_done)} / {size_text(transfer.bytes_total)}",
        left_text(transfer),
    )


def failure_cells(failure: FailedInstance) -> tuple[str, ...]:
    """One text for each of FAILURE_COLUMNS."""
    return one_line(failure.sop_instance_uid), one_line(failure.reason)


def transfer_line(transfer: TransferProgress) -> str:
    """State, destination, instances, bytes, rate, what is left."""
    remaining = max(0, transfer.instances_total - transfer.instances_done - transfer.instances_failed)
    running = transfer.state in (TransferState.SENDING, TransferState.FETCHING)
    fetched = ""
    if transfer.state is TransferState.FETCHING:
        fetched = _("{count} fetched").format(count=transfer.instances_fetched)
    left = ""
    if remaining and not transfer.state.is_final:
        left = plural("{count} instance left", "{count} instances left", remaining)
        if transfer.seconds_left is not None:
            left = _("{left}, {time}").format(left=left, time=duration_text(transfer.seconds_left))
    return joined(
        _("{state} to {destination}").format(state=_(transfer.state.value), destination=one_line(transfer.destination)),
        _("{done}/{total} instances").format(done=transfer.instances_done, total=transfer.instances_total),
        fetched,
        f"{size_text(transfer.bytes_done)} / {size_text(transfer.bytes_total)}",
        rate_text(transfer.rate) if running else "",
        left,
        one_line(transfer.sentence),
    )


def transfer_subject(transfer: TransferProgress) -> str:
    """Whose study it is."""
    return joined(
        short_name(transfer.patient.name), identifier_text(transfer.patient), one_line(transfer.study_description)
    )


def failures_line(transfer: TransferProgress) -> str:
    """The first instance that was not taken with the destination's reason, and how many more there are."""
    if not transfer.failures:
        return ""
    first = transfer.failures[0]
    more = max(transfer.instances_failed, len(transfer.failures)) - 1
    return joined(
        _("failed: {uid}: {reason}").format(uid=one_line(first.sop_instance_uid), reason=one_line(first.reason)),
        plural("and {count} more", "and {count} more", more) if more > 0 else "",
    )


def done_share(transfer: TransferProgress) -> float:
    """0.0 to 1.0, by bytes where they are known, else by instances."""
    if transfer.bytes_total > 0:
        return min(1.0, transfer.bytes_done / transfer.bytes_total)
    if transfer.instances_total > 0:
        return min(1.0, transfer.instances_done / transfer.instances_total)
    return 0.0
