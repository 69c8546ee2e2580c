"""C-STORE (PS3.4 Annex B) of spooled files: the bytes of the file, never decoded, under the syntax they are in."""

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import BinaryIO, Final

from kiosk.errors import Cancelled, ImagingError, PeerAborted, PeerLacks, UnreadableObject
from kiosk.imaging.calls import SendState, Sent, SentInstance, ToSend
from kiosk.imaging.network import status
from kiosk.imaging.network.association import MAXIMUM_CONTEXTS, Association, Context, associate
from kiosk.imaging.network.commands import CommandField, store_request
from kiosk.imaging.network.datapath import FilePart
from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.syntaxes import alternatives, sop_class_name, transfer_syntax_name

ACCEPTED: Final = frozenset({SendState.STORED, SendState.STORED_WITH_WARNING})
CANCEL_SECONDS: Final = 0.05

Answers = Generator[SentInstance, None, None]
Pair = tuple[str, str]


def send(peer: Peer, files: Sequence[ToSend], spool: Spool, cancel: Event) -> Generator[SentInstance, None, Sent]:
    """Pushes the files; see `Imaging.send`.

    An association that breaks off is opened anew while there is progress; nobody knows then whether the peer has the
    instance that was under way. Raises PeerUnreachable, PeerRefused or PeerAborted when no association comes about;
    where none does any more later on, the result says why instances are left unanswered.
    """
    stored = failed = 0
    associated = False
    refused: list[ToSend] = []
    try:
        for batch in batches(files):
            push = _Push(peer, batch, spool)
            try:
                for answer in push.run(cancel):
                    stored, failed = (stored + 1, failed) if answer.state in ACCEPTED else (stored, failed + 1)
                    yield answer
            finally:
                associated = associated or push.associated
            refused += push.refused
        for answer in _other_syntaxes(peer, refused, cancel):
            failed += 1
            yield answer
    except ImagingError as error:
        if not associated:
            raise
        return Sent(stored, failed, str(error))
    return Sent(stored, failed)


def batches(files: Sequence[ToSend]) -> list[list[ToSend]]:
    """The files cut so that no association needs more than 128 contexts; their order is kept within each."""
    pairs = _pairs(files)
    place = {pair: number // MAXIMUM_CONTEXTS for number, pair in enumerate(pairs)}
    cut: list[list[ToSend]] = [[] for _ in range(-(-len(pairs) // MAXIMUM_CONTEXTS))]
    for file in files:
        cut[place[file.sop_class_uid, file.transfer_syntax_uid]].append(file)
    return cut


class _Push:
    """Files that fit one association's contexts, taken one by one by however many associations there are.

    `refused` are those whose transfer syntax the peer does not take.
    """

    def __init__(self, peer: Peer, files: Sequence[ToSend], spool: Spool) -> None:
        self.associated = False
        self.refused: list[ToSend] = []
        self._peer = peer
        self._spool = spool
        self._contexts = [Context(sop_class, (syntax,)) for sop_class, syntax in _pairs(files)]
        self._pending = deque(files)
        self._begun = Event()

    def run(self, cancel: Event) -> Answers:
        """An answer for each file but the refused; raises ImagingError when some are left."""
        lanes = min(self._peer.associations, len(self._pending))
        return self._lane(cancel) if lanes == 1 else self._lanes(lanes, cancel)

    def _take(self) -> ToSend | None:
        try:
            return self._pending.popleft()
        except IndexError:
            return None

    def _lane(self, cancel: Event) -> Answers:
        """One association after another until nothing is left."""
        while self._pending:
            answered, file = 0, None
            ahead = _Ahead(self._pending, self._spool)
            try:
                with associate(self._peer, self._contexts, cancel) as association:
                    self.associated = True
                    self._begun.set()
                    while (file := self._take()) is not None:
                        answer = _send_one(association, file, ahead)
                        if answer is None:
                            self.refused.append(file)
                            continue
                        answered += 1
                        yield answer
            except PeerLacks:
                self.associated = True
                self.refused += iter(self._take, None)
            except UnreadableObject as error:  # the message was begun: only an abort ends it
                if file is not None:
                    yield _unsent(file, SendState.FAILED, str(error))
            except ImagingError as error:
                if file is not None:
                    yield _unsent(file, SendState.UNANSWERED, str(error))
                if not answered or not isinstance(error, PeerAborted):
                    raise
            finally:
                ahead.close()

    def _lanes(self, count: int, cancel: Event) -> Answers:
        """Several associations at a time, the others once the first has come about; one that the peer does not give
        leaves its share to those that it does."""
        answers: SimpleQueue[SentInstance | None] = SimpleQueue()
        halt = Event()

        def work(number: int) -> None:
            try:
                if number:
                    self._begun.wait()
                for answer in self._lane(halt):
                    answers.put(answer)
            finally:
                self._begun.set()
                answers.put(None)

        with ThreadPoolExecutor(count, thread_name_prefix="send") as pool:
            lanes = [pool.submit(work, number) for number in range(count)]
            try:
                yield from _until_ended(answers, count, cancel)
            finally:
                halt.set()
        failures = [failure for lane in lanes if (failure := lane.exception()) is not None]
        for failure in failures:
            if self._pending or not self.associated or not isinstance(failure, ImagingError):
                raise failure


def _until_ended(answers: "SimpleQueue[SentInstance | None]", lanes: int, cancel: Event) -> Answers:
    while lanes:
        if cancel.is_set():
            raise Cancelled
        try:
            answer = answers.get(timeout=CANCEL_SECONDS)
        except Empty:
            continue
        if answer is None:
            lanes -= 1
        else:
            yield answer


def _pairs(files: Sequence[ToSend]) -> list[Pair]:
    return list(dict.fromkeys((file.sop_class_uid, file.transfer_syntax_uid) for file in files))


def _other_syntaxes(peer: Peer, refused: Sequence[ToSend], cancel: Event) -> Iterator[SentInstance]:
    """What the peer would take each of them in: negotiated, and nothing sent."""
    for batch in batches(refused):
        contexts = dict.fromkeys(Context(kind, alternatives(syntax)) for kind, syntax in _pairs(batch))
        granted: set[Pair] = set()
        try:
            with associate(peer, list(contexts), cancel) as association:
                granted |= {(context.abstract_syntax, context.transfer_syntax) for context in association.granted}
        except PeerLacks:
            pass
        for file in batch:
            kind, own = sop_class_name(file.sop_class_uid), transfer_syntax_name(file.transfer_syntax_uid)
            reason = f"it does not take {kind} in {own}"
            for syntax in alternatives(file.transfer_syntax_uid):
                if (file.sop_class_uid, syntax) in granted:
                    yield SentInstance(file.sop_instance_uid, SendState.ANOTHER_SYNTAX, file.size, reason, syntax)
                    break
            else:
                yield _unsent(file, SendState.FAILED, reason)


def _unsent(file: ToSend, state: SendState, reason: str) -> SentInstance:
    return SentInstance(file.sop_instance_uid, state, file.size, reason)


@dataclass(frozen=True)
class _Opened:
    """A file that is what it is said to be, and where its data set lies."""

    stream: BinaryIO
    body: FilePart


def _opened(file: ToSend, spool: Spool) -> _Opened | SentInstance:
    """The file, or why it cannot be sent."""
    try:
        stream = spool.open(file.file)
    except UnreadableObject as error:
        return _unsent(file, SendState.FAILED, str(error))
    try:
        meta = read_file_meta(stream)
    except UnreadableObject as error:
        stream.close()
        return _unsent(file, SendState.FAILED, str(error))
    if (meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid) != (
        file.sop_class_uid,
        file.sop_instance_uid,
        file.transfer_syntax_uid,
    ):
        stream.close()
        return _unsent(file, SendState.FAILED, "The file is not the instance it is said to be.")
    size = os.fstat(stream.fileno()).st_size
    return _Opened(stream, FilePart(stream.fileno(), meta.data_set, size - meta.data_set))


class _Ahead:
    """Opens the file that may well be next, while the peer is busy with the one before."""

    def __init__(self, pending: deque[ToSend], spool: Spool) -> None:
        self._pending = pending
        self._spool = spool
        self._guess: tuple[ToSend, _Opened | SentInstance] | None = None

    def look(self) -> None:
        """Has a look at it; another lane may take it before us."""
        with suppress(IndexError):
            file = self._pending[0]
            self.close()
            self._guess = file, _opened(file, self._spool)

    def open(self, file: ToSend) -> _Opened | SentInstance:
        """This file, or why it cannot be sent."""
        guess, self._guess = self._guess, None
        if guess is not None and guess[0] is file:
            return guess[1]
        _close(guess)
        return _opened(file, self._spool)

    def close(self) -> None:
        """Lets go what was opened."""
        guess, self._guess = self._guess, None
        _close(guess)


def _close(guess: tuple[ToSend, _Opened | SentInstance] | None) -> None:
    if guess is not None and isinstance(guess[1], _Opened):
        guess[1].stream.close()


def _send_one(association: Association, file: ToSend, ahead: _Ahead) -> SentInstance | None:
    """The answer to one file; None when the association has no context for it."""
    context = association.find_context(file.sop_class_uid, file.transfer_syntax_uid)
    if context is None:
        return None
    opened = ahead.open(file)
    if isinstance(opened, SentInstance):
        return opened
    with opened.stream:
        message_id = association.next_message_id()
        request = store_request(message_id, file.sop_class_uid, file.sop_instance_uid)
        association.send(context, request, opened.body)
    ahead.look()
    command = association.response(message_id, CommandField.C_STORE_RSP).command
    state, reason = status.store_state(command.status, command.comment)
    return SentInstance(file.sop_instance_uid, state, file.size, reason)
