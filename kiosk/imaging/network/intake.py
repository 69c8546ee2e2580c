"""One instance after the other from an association into the spool, as received: what is wanted, and nothing else."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from kiosk.errors import KioskError, UnreadableObject
from kiosk.imaging.calls import Received
from kiosk.imaging.network import status
from kiosk.imaging.network.association import GrantedContext
from kiosk.imaging.network.commands import Command
from kiosk.imaging.network.filemeta import encode_file_meta
from kiosk.imaging.network.identity import FRONT, Fronts, Identity, read_identity
from kiosk.imaging.network.orders import Order, Refusal
from kiosk.imaging.spool import Spool, SpoolFile

GATHERED_BYTES: Final = 512 * 1024
GATHERED_PIECES: Final = 512
"""More than 1024 cannot be written at once (IOV_MAX)."""


@dataclass(frozen=True)
class Verdict:
    """How a C-STORE request is answered."""

    code: int
    comment: str = ""


class Intake:
    """Takes the data set of a C-STORE request as its sink: `begin`, what comes, `finish`, and `drop` in any case.

    What comes is gathered where it was received; `flush` before it makes room for something else. `close` at the end.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._order: Order | None = None
        self._command = Command(0)
        self._context: GrantedContext | None = None
        self._refusal: Refusal | None = None
        self._file: SpoolFile | None = None
        self._data_set = 0
        self._fronts = Fronts()
        self._identity: Identity | None = None
        self._discarding: Verdict | None = None
        self._pieces: list[memoryview] = []
        self._gathered = 0
        self._spare: tuple[Spool, SpoolFile] | None = None

    @property
    def order(self) -> Order | None:
        """Whose instance is coming."""
        return self._order

    def begin(self, order: Order, command: Command, context: GrantedContext | None) -> None:
        """An instance begins to come, which `order` has been claimed for. May raise StorageFull."""
        self._order, self._command, self._context = order, command, context
        # Of the role that was asked for with the context, some archives say nothing, and send all the same.
        if context is None or context.abstract_syntax != command.sop_class_uid:
            self._refusal = Refusal.CLASS_NOT_AGREED
            return
        self._file = self._spare_of(order.spool) or _opened(order.spool)
        meta = encode_file_meta(command.sop_class_uid, command.sop_instance_uid, context.transfer_syntax, self._source)
        self._pieces.append(memoryview(meta))
        self._data_set = len(meta)

    def prepare(self) -> None:
        """Makes the next file while its sender is busy finding what to put into it."""
        order = self._order
        if order is not None and order.expects_more and self._spare is None:
            with suppress(KioskError):  # the next that comes says why there cannot be a file
                self._spare = order.spool, _opened(order.spool)

    def begin_discarding(self, *, duplicate: bool) -> None:
        """An instance begins to come that nobody wants: a duplicate is thanked for."""
        refusal = Refusal.NOT_ASKED_FOR
        self._discarding = Verdict(status.SUCCESS) if duplicate else Verdict(refusal.code, refusal.value)

    def write(self, data: memoryview) -> None:
        """The next bytes of it. May raise StorageFull."""
        if self._order is not None and not self._order.spend(len(data)) and self._refusal is None:
            self._refusal = Refusal.OVER_QUOTA
            self._close()
        if self._file is None or self._context is None:
            return
        if self._gathered == 0 and self._file.size == 0:
            # While the rest is under way: its sender waits for us once it has gone out.
            self._identity = self._fronts.identity(bytes(data[:FRONT]), self._context.transfer_syntax)
        self._pieces.append(data)
        self._gathered += len(data)
        if self._gathered >= GATHERED_BYTES or len(self._pieces) >= GATHERED_PIECES:
            self.flush()

    def flush(self) -> None:
        """Into the file with what came: its bytes are about to make room for others. May raise StorageFull."""
        pieces, self._pieces, self._gathered = self._pieces, [], 0
        if self._file is not None and pieces:
            self._file.write_all(pieces)

    def finish(self) -> Verdict:
        """It has come whole: the order gets what is as it should be. May raise UnreadableObject."""
        if self._discarding is not None:
            return self._discarding
        self.flush()
        refusal, order = self._refusal or self._examined(), self._order
        if refusal is not None or order is None or self._file is None or self._context is None:
            refusal = refusal or Refusal.NOT_ASKED_FOR
            if order is not None:
                order.refuse(refusal)
            return Verdict(refusal.code, refusal.value)
        size = self._file.size
        received = Received(
            sop_instance_uid=self._command.sop_instance_uid,
            sop_class_uid=self._command.sop_class_uid,
            series_instance_uid=self._identity.series_instance_uid if self._identity is not None else "",
            transfer_syntax_uid=self._context.transfer_syntax,
            file=self._file.commit(),
            size=size,
        )
        order.take(received)
        return Verdict(status.SUCCESS)

    def drop(self) -> None:
        """Ends what was coming; a file that was not finished is gone."""
        if self._order is not None:
            self._order.release(self._command.sop_instance_uid)
        self._close()
        self._order = self._context = self._refusal = self._discarding = self._identity = None

    def close(self) -> None:
        """Nothing more comes."""
        self.drop()
        self._spare_of(None)

    def _spare_of(self, spool: Spool | None) -> SpoolFile | None:
        """The file that was made ahead, if it lies in that spool; one that lies elsewhere goes."""
        spare, self._spare = self._spare, None
        if spare is None or spare[0] is spool:
            return spare[1] if spare is not None else None
        spare[1].__exit__(None, None, None)
        return None

    def _examined(self) -> Refusal | None:
        if self._order is None or self._file is None or self._context is None:
            return Refusal.NOT_ASKED_FOR
        if self._identity is None:
            try:
                self._identity = read_identity(self._file.stream, self._data_set, self._context.transfer_syntax)
            except UnreadableObject:
                return Refusal.NOT_WHAT_IT_SAYS
        return self._order.refusal_of(self._identity, self._command)

    def _close(self) -> None:
        self._pieces, self._gathered = [], 0
        if self._file is not None:
            self._file.__exit__(None, None, None)
            self._file = None


def _opened(spool: Spool) -> SpoolFile:
    return spool.create().__enter__()
