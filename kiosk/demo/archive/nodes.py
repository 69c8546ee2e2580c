"""The application entities of the demo: an archive that is queried and read, and destinations that are pushed to."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.uid import AllTransferSyntaxes, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined, unused-ignore]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from kiosk.demo.archive.catalogue import Catalogue
from kiosk.demo.archive.matching import Value
from kiosk.demo.archive.shelf import Shelf
from kiosk.demo.objects import data_set
from kiosk.errors import UnreadableObject
from kiosk.imaging.network.pynetdicom_mend import mend

_SUCCESS: Final = 0x0000
_PENDING: Final = 0xFF00
_CANCEL: Final = 0xFE00
_CANNOT_UNDERSTAND: Final = 0xC000
_IDENTIFIER_MISMATCH: Final = 0xA900
_LEVELS: Final = ("STUDY", "SERIES", "IMAGE")
_NATIVE: Final = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_NOT_KEYS: Final = frozenset({"SpecificCharacterSet", "QueryRetrieveLevel", "TimezoneOffsetFromUTC"})


def keep_quiet() -> None:
    """No identifiers in logs, pynetdicom mended, and no refusal to write the odd studies' odd values."""
    mend()
    pydicom_config.settings.writing_validation_mode = pydicom_config.IGNORE
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE


def _no_delay(event: Any) -> None:  # noqa: ANN401 - pynetdicom's events carry no types
    """Nagle's algorithm and delayed acknowledgements together cost 40 ms for every small message."""
    connection = event.assoc.dul.socket.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _keys(identifier: Dataset) -> dict[str, Sequence[str]]:
    """Matching keys by keyword, each a list of wanted values; empty lists ask for the attribute only."""
    keys: dict[str, Sequence[str]] = {}
    for element in identifier:
        if element.keyword and element.keyword not in _NOT_KEYS and element.VR != "SQ":
            value = element.value
            several = isinstance(value, list | tuple) or type(value).__name__ == "MultiValue"
            values = list(value) if several else [value]
            keys[element.keyword] = [str(one) for one in values if one is not None and str(one)]
    return keys


def _answer(
    level: str, keys: Mapping[str, Sequence[str]], row: Mapping[str, Value], character_set: Sequence[str]
) -> Dataset:
    """An identifier with what was asked for; unknown attributes stay out (PS3.4 C.4.1.1.3.2)."""
    answer = Dataset()
    answer.SpecificCharacterSet = list(character_set)
    answer.QueryRetrieveLevel = level
    for keyword in keys:
        if keyword in row:
            value = row[keyword]
            setattr(answer, keyword, value if isinstance(value, str) else list(value))
    return answer


class Node:
    """An AE on loopback that answers C-ECHO and keeps what it is sent; `port` is known once it is started."""

    def __init__(self, ae_title: str, port: int = 0) -> None:
        self.ae_title = ae_title
        self.port = port
        self.shelf = Shelf()
        self._server: Any = None

    def start(self) -> None:
        """Listens, in threads of its own."""
        entity = AE(ae_title=self.ae_title)
        entity.maximum_pdu_size = 65_536
        entity.maximum_associations = 32
        entity.network_timeout = 120
        self._add_contexts(entity)
        self._server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=self._handlers())
        self.port = int(self._server.server_address[1])

    def _add_contexts(self, entity: Any) -> None:  # noqa: ANN401 - pynetdicom's AE carries no types
        entity.add_supported_context(Verification)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind, _NATIVE)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, AllTransferSyntaxes)

    def _handlers(self) -> list[tuple[Any, Any]]:
        return [
            (evt.EVT_CONN_OPEN, _no_delay),
            (evt.EVT_C_ECHO, lambda event: _SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
        ]

    def _store(self, event: Any) -> int:  # noqa: ANN401
        data = event.request.DataSet
        try:
            self.shelf.put(data, len(data.getvalue()), str(event.context.transfer_syntax))
        except UnreadableObject:
            return _CANNOT_UNDERSTAND
        return _SUCCESS

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:  # noqa: ANN401
        identifier = event.identifier
        level = str(identifier.get("QueryRetrieveLevel", ""))
        if level not in _LEVELS:
            yield _IDENTIFIER_MISMATCH, None
            return
        keys = _keys(identifier)
        for row, character_set in self._rows(level, keys):
            if not event.assoc.is_established:
                return
            if event.is_cancelled:
                yield _CANCEL, None
                return
            yield _PENDING, _answer(level, keys, row, character_set)

    def _rows(
        self, level: str, keys: Mapping[str, Sequence[str]]
    ) -> Iterator[tuple[Mapping[str, Value], Sequence[str]]]:
        received = {"IMAGE": self.shelf.find, "SERIES": self.shelf.find_series}.get(level)
        for row in received(keys) if received else ():
            yield row, ("ISO_IR 192",)


class ArchiveNode(Node):
    """The archive: answers queries at every level and C-GET from its catalogue."""

    def __init__(self, ae_title: str, catalogue: Catalogue, port: int = 0) -> None:
        super().__init__(ae_title, port)
        self._catalogue = catalogue

    def _add_contexts(self, entity: Any) -> None:  # noqa: ANN401
        entity.add_supported_context(Verification)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind, _NATIVE)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet, _NATIVE)
        for context in AllStoragePresentationContexts:
            # Both roles: the peer that gets may ask to be the one that stores (PS3.7 D.3.3.4).
            entity.add_supported_context(context.abstract_syntax, _NATIVE, scu_role=True, scp_role=True)

    def _handlers(self) -> list[tuple[Any, Any]]:
        return [*super()._handlers(), (evt.EVT_C_GET, self._get)]

    def _rows(
        self, level: str, keys: Mapping[str, Sequence[str]]
    ) -> Iterator[tuple[Mapping[str, Value], Sequence[str]]]:
        for study, row in self._catalogue.find(level, keys):
            yield row, study.patient.character_set
        yield from super()._rows(level, keys)

    def _get(self, event: Any) -> Iterator[Any]:  # noqa: ANN401
        identifier = event.identifier
        keys = _keys(identifier)
        level = str(identifier.get("QueryRetrieveLevel", ""))
        needed = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}.get(level)
        if needed is None or not keys.get(needed):
            yield 0
            yield _IDENTIFIER_MISMATCH, None
            return
        found = self._catalogue.instances(keys)
        yield len(found)
        for study, series, instance in found:
            if not event.assoc.is_established:
                return
            if event.is_cancelled:
                yield _CANCEL, None
                return
            yield _PENDING, data_set(study, series, instance)
