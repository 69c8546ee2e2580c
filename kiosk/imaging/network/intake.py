"""One instance after the other from an association into the spool, as received: what is wanted, and nothing else."""

from dataclasses import dataclass

from kiosk.errors import UnreadableObject
from kiosk.imaging.calls import Received
from kiosk.imaging.network import status
from kiosk.imaging.network.association import GrantedContext
from kiosk.imaging.network.commands import Command
from kiosk.imaging.network.filemeta import encode_file_meta
from kiosk.imaging.network.identity import read_identity
from kiosk.imaging.network.orders import Order, Refusal
from kiosk.imaging.spool import SpoolFile


@dataclass(frozen=True)
class Verdict:
    """How a C-STORE request is answered."""

    code: int
    comment: str = ""


class Intake:
    """Takes the data set of a C-STORE request as its sink: `begin`, what comes, `finish`, and `drop` in any case."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._order: Order | None = None
        self._command = Command(0)
        self._context: GrantedContext | None = None
        self._refusal: Refusal | None = None
        self._file: SpoolFile | None = None
        self._data_set = 0
        self._series = ""
        self._discarding: Verdict | None = None

    @property
    def order(self) -> Order | None:
        """Whose instance is coming."""
        return self._order

    def begin(self, order: Order, command: Command, context: GrantedContext | None) -> None:
        """An instance begins to come, which `order` has been claimed for. May raise StorageFull."""
        self._order, self._command, self._context = order, command, context
        if context is None or not context.as_scp or context.abstract_syntax != command.sop_class_uid:
            self._refusal = Refusal.CLASS_NOT_AGREED
            return
        self._file = order.spool.create()
        self._file.__enter__()
        meta = encode_file_meta(command.sop_class_uid, command.sop_instance_uid, context.transfer_syntax, self._source)
        self._file.write(meta)
        self._data_set = len(meta)

    def begin_discarding(self, *, duplicate: bool) -> None:
        """An instance begins to come that nobody wants: a duplicate is thanked for."""
        refusal = Refusal.NOT_ASKED_FOR
        self._discarding = Verdict(status.SUCCESS) if duplicate else Verdict(refusal.code, refusal.value)

    def write(self, data: memoryview) -> None:
        """The next bytes of it. May raise StorageFull."""
        if self._order is not None and not self._order.spend(len(data)) and self._refusal is None:
            self._refusal = Refusal.OVER_QUOTA
            self._close()
        if self._file is not None:
            self._file.write(data)

    def finish(self) -> Verdict:
        """It has come whole: the order gets what is as it should be. May raise UnreadableObject."""
        if self._discarding is not None:
            return self._discarding
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
            series_instance_uid=self._series,
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
        self._order = self._context = self._refusal = self._discarding = None

    def _examined(self) -> Refusal | None:
        if self._order is None or self._file is None or self._context is None:
            return Refusal.NOT_ASKED_FOR
        try:
            identity = read_identity(self._file.stream, self._data_set, self._context.transfer_syntax)
        except UnreadableObject:
            return Refusal.NOT_WHAT_IT_SAYS
        self._series = identity.series_instance_uid
        return self._order.refusal_of(identity, self._command)

    def _close(self) -> None:
        if self._file is not None:
            self._file.__exit__(None, None, None)
            self._file = None
