"""
The short way from a connection to a hot call: no scope, no task, no messages.

A request goes it if it arrived whole, is for a hot call, and nothing else is
under way before it on its connection. Until all that is known it is kept
here, and then either answered or handed to uvicorn as if it came just now.

What is answered without waiting in one round of the event loop is sent at its
end, one right behind the other; what was waited for is sent at once. To send
wakes whoever waits for it, and to wake a core that sleeps can
cost more than the answer did; who was woken by the first is awake for the rest.
"""

from collections.abc import Coroutine
from typing import Any

from litestar.types import ASGIApp
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from stagedoor.http.answer import Answer
from stagedoor.http.hot import HotCall, HotCalls
from stagedoor.http.parting import Headers
from stagedoor.http.plain_request import read_plain
from stagedoor.http.protocol import HEAD_FIELDS_MAX, PatientProtocol

_JOINED_BYTES_MAX = 65_536
"""Up to here it is cheaper to copy a body behind its head than to hand over two pieces."""

_CLOSE = b"connection: close\r\n\r\n"


class ShortWayProtocol(PatientProtocol):
    """A patient protocol that answers hot calls itself; `short_way` makes the subclass with the calls."""

    calls: HotCalls
    _row: HotCall | None = None
    _query_string = b""
    _fields: list[tuple[bytes, bytes]]
    _body = b""
    _first: Headers = ()
    _first_lines = b""
    _unsent: "list[tuple[ShortWayProtocol, bytes]]"
    """The answers of this round on all connections of a server."""
    _has_unsent = False

    @override
    def data_received(self, data: bytes) -> None:
        if not self._may_read_plainly() or (plain := read_plain(data, fields_max=HEAD_FIELDS_MAX)) is None:
            super().data_received(data)
            return
        method, path, query_string, fields, body = plain
        row = self.calls.find(method, path)
        if row is None or len(body) > self.calls.body_bytes_max:
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        self._since = self.loop.time()
        self._query_string, self._fields = query_string, fields
        self._answer(row, body)

    @override
    def _enter(self) -> None:
        self._row = self._hot_call()
        if self._row is None:
            super()._enter()
        else:
            self._fields = self.headers

    @override
    def on_body(self, body: bytes) -> None:
        if self._row is None:
            super().on_body(body)
        else:
            self._body += body

    @override
    def on_message_complete(self) -> None:
        row, body = self._row, self._body
        if row is None:
            super().on_message_complete()
        elif len(body) > self.calls.body_bytes_max:
            self._leave_the_short_way()
            super().on_message_complete()
        else:
            self._row, self._body, self._in_body = None, b"", False
            self._answer(row, body)

    @override
    def _fed(self) -> None:
        if self._row is not None:
            self._leave_the_short_way()

    @override
    def _refuse(self, cause: str = "unreadable") -> None:
        if self._row is not None:
            # Nobody has heard of the request yet, so there is nobody to be told that it ends here.
            self._row, self._body, self._in_body = None, b"", False
        super()._refuse(cause)

    @override
    def _part(self, words: bytes | None) -> None:
        _send_all(self._unsent)
        super()._part(words)

    @override
    def eof_received(self) -> None:
        # Who says no more after her request still listens; the connection is closed behind this.
        _send_all(self._unsent)
        super().eof_received()

    @override
    def shutdown(self) -> None:
        _send_all(self._unsent)
        super().shutdown()

    def write_answer(self, answer: Answer[Any], head: bytes) -> None:
        """Send *answer* under *head*, which ends with the empty line, and close behind it if the head says so."""
        if self._unsent:
            _send_all(self._unsent)
        for words in self._in_pieces(answer, head):
            self.transport.write(words)
        if head.endswith(_CLOSE):
            # What was asked behind it in the same breath would be done, and nobody told.
            self._is_deaf = True
            self.transport.close()

    def _write_together(self, answer: Answer[Any], head: bytes) -> None:
        """Send *answer* at the end of the round."""
        unsent = self._unsent
        if not unsent:
            self.loop.call_soon(_send_all, unsent)
        self._has_unsent = True
        for words in self._in_pieces(answer, head):
            unsent.append((self, words))

    def _in_pieces(self, answer: Answer[Any], head: bytes) -> tuple[bytes, ...]:
        first = self.server_state.default_headers
        if first is not self._first:
            # uvicorn makes the list anew once a second, with the date.
            self._first = first
            self._first_lines = b"".join(b"%b: %b\r\n" % field for field in first)
        body = answer.body
        if len(body) <= _JOINED_BYTES_MAX:
            return (b"".join((STATUS_LINE[answer.status], self._first_lines, head, body)),)
        return b"".join((STATUS_LINE[answer.status], self._first_lines, head)), body

    def has_answered(self) -> None:
        """Go on behind the answer to a request that had to wait."""
        if self.pipeline or self._last_words is not None:
            self.on_response_complete()
            return
        # Without uvicorn's timer: idle clients are waited for by one look at all of them.
        self.server_state.total_requests += 1
        self._since = self.loop.time()
        self.flow.resume_reading()

    def _may_read_plainly(self) -> bool:
        """Whether the parser is between two requests, and the next one would be answered at once."""
        cycle = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not (self._in_head or self._in_body or self._is_deaf or self.flow.write_paused)
            and not self.transport.is_closing()
        )

    def _hot_call(self) -> HotCall | None:
        """Return the call that the request just read the head of is for, None if it has to go the long way."""
        if self.expect_100_continue or self.flow.write_paused or not self._is_idle() or self.transport.is_closing():
            return None
        path, _, self._query_string = self.url.partition(b"?")
        row = self.calls.find(self.parser.get_method(), path)
        if (
            row is None
            or b"#" in self._query_string
            or not self.parser.should_keep_alive()
            or self.parser.get_http_version() != "1.1"
        ):
            return None
        return row

    def _answer(self, row: HotCall, body: bytes) -> None:
        call = self.calls.begin(row, self._query_string, self._fields, self.client)
        if (told := self.calls.at_once(row, call)) is not None:
            answer, head = told
            # Whoever asks on before she was answered is answered at once: unless it is sent, nobody sees that she takes
            # nothing, and all that she asked in one breath would be kept for her.
            if not self._has_unsent and not head.endswith(_CLOSE):
                self._write_together(answer, head)
            else:
                self.write_answer(answer, head)
            self.server_state.total_requests += 1
            return
        self.cycle = _HotCycle(self, self.calls.answer(row, call, body))  # type: ignore[assignment]  # see there
        self._start_asgi_task(self.cycle, self.app)

    def _leave_the_short_way(self) -> None:
        """Hand the request to uvicorn, with what there is of its body."""
        body, self._row, self._body = self._body, None, b""
        self.headers = self._fields
        self._enter_the_app()
        if body:
            super().on_body(body)


def _send_all(unsent: list[tuple[ShortWayProtocol, bytes]]) -> None:
    """Send the answers of a round in the order in which they were given."""
    # Emptied first: a list that is not is taken for one that will be sent.
    answers = unsent.copy()
    unsent.clear()
    for protocol, words in answers:
        protocol._has_unsent = False  # noqa: SLF001 -- one of its own class
        if not protocol.transport.is_closing():
            protocol.transport.write(words)


class _Nobody:
    """Who waits for the rest of a request that arrived whole."""

    def set(self) -> None:
        """Wake nobody."""


_NOBODY = _Nobody()


class _HotCycle:
    """A hot request that waits for something; to uvicorn, which asks no more of one, it is a cycle like its own."""

    def __init__(self, protocol: ShortWayProtocol, work: Coroutine[Any, Any, tuple[Answer[Any], bytes]]) -> None:
        self._protocol = protocol
        self._work = work
        self.response_started = False
        self.response_complete = False
        self.disconnected = False
        self.keep_alive = True
        self.message_event = _NOBODY

    async def run_asgi(self, _app: ASGIApp) -> None:
        """Answer."""
        protocol = self._protocol
        try:
            answer, head = await self._work
            if protocol.flow.write_paused and not self.disconnected:
                await protocol.flow.drain()
        except BaseException:
            # There is no answer, and nothing behind it on the connection must be taken for one.
            protocol.transport.close()
            raise
        self.response_started = self.response_complete = True
        if self.disconnected:
            return
        if not self.keep_alive and not head.endswith(_CLOSE):
            head = head.removesuffix(b"\r\n") + _CLOSE
        protocol.write_answer(answer, head)
        protocol.has_answered()


def short_way(protocol: type[PatientProtocol], calls: HotCalls) -> type[PatientProtocol]:
    """Return *protocol* with a short way to *calls*."""
    return type("ShortWayProtocolOfOneServer", (ShortWayProtocol, protocol), {"calls": calls, "_unsent": []})
