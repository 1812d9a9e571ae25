"""
What comes before the app: bytes that are no HTTP are refused in the envelope, and nobody is waited for without end.

The protocol is uvicorn's, with its parser. Ours is what the two leave open:
an upgrade that nobody asked us for, a head that could be read in two ways, an
answer that must not overtake the one before it, and how long a client may take.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httptools
from typing_extensions import override
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from stagedoor.http.parting import Headers, parting_words
from stagedoor.http.problems import UNAVAILABLE, UNREADABLE

HEAD_BYTES_MAX = 65_536
"""Counted in the pieces in which a head arrives; one that arrives whole is whole."""

_END_OF_HEAD = b"\r\n\r\n"

HEAD_FIELDS_MAX = 100
PIPELINED_MAX = 64
"""How many requests may come before the first of them is answered; what comes behind them is not read."""

SWALLOWED_BYTES_MAX = 1_000_000
RETRY_AFTER_S = 5
TURNED_AWAY_MAX = 100
"""How many of those who found every connection taken are told so at a time; the others are just closed."""

_log = logging.getLogger("stagedoor.http.protocol")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """
    How many connections there may be, and how long, in seconds, one of them is waited for.

    *idle_s* between requests (*idle_when_crowded_s* while more than half of
    the connections are taken), *head_s* from a head's first byte to its last,
    *body_s* for the rest of a body whose request is answered (the others have
    theirs where bodies are read), *taking_s* for an answer to be taken,
    *parting_s* for a client that was refused to hear of it and go, and
    *stop_s* for what is under way when the server stops.
    """

    connections_max: int = 10_000
    idle_s: float = 75
    idle_when_crowded_s: float = 5
    head_s: float = 10
    body_s: float = 15
    taking_s: float = 60
    parting_s: float = 2
    stop_s: float = 6

    def idle_s_with(self, connections: int) -> float:
        """Return how long an idle one of so many *connections* is kept."""
        return self.idle_when_crowded_s if 2 * connections > self.connections_max else self.idle_s


_NOWHERE: list[tuple[bytes, bytes]] = []
"""Where no field is kept: one behind a body could pass for one that a proxy has put into the head."""

_BLANKS = b" \t"


class _CannotBeRead(Exception):  # noqa: N818 -- it leaves the parser and becomes a refusal
    """The head can be read in more than one way, or in none."""


class _Unhurried:
    """A transport as the answer to one request sees it: closing it leaves time for what is still being sent."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class PatientProtocol(HttpToolsProtocol):
    """
    HTTP/1.1 as uvicorn speaks it, but for what cannot be read and for clients who take their time.

    `protocol_with` makes the subclass whose refusals carry an installation's headers.
    """

    patience: Patience
    unreadable: bytes
    unreadable_without_body: bytes
    crowded: bytes
    turned_away: set["PatientProtocol"]
    count_refused: Callable[[str], None]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Serve one connection."""
        super().__init__(config, server_state, app_state, _loop)
        # Anybody can send rubbish; a line each would let anybody fill the log.
        self.logger = _log
        self._since = self.loop.time()
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0
        # Once deaf, nothing more is read: the last answer there is to give has been decided.
        self._is_deaf = False
        self._swallowed_bytes = 0
        self._last_words: bytes | None = None
        self._is_parting = False
        self._not_taken_since: float | None = None
        # What was begun last; everything before it is answered.
        self._under_way: RequestResponseCycle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._unhurried = _Unhurried(transport, self._close_unhurriedly)
        if len(self.connections) - len(self.turned_away) > self.patience.connections_max:
            self._is_deaf = True
            self.count_refused("crowded")
            self.turned_away.add(self)
            if len(self.turned_away) > TURNED_AWAY_MAX:
                transport.abort()
            else:
                self._part(self.crowded)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.turned_away.discard(self)
        if self._under_way is not None:
            # uvicorn tells only the request that came last, which in a row of them still waits for its turn.
            self._under_way.disconnected = True
            self._under_way.message_event.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data and not self._is_deaf:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                data = self._without_upgrade() + data[stopped.args[0] :]
            except httptools.HttpParserError:
                self._refuse()
            else:
                self._fed()
                if self._in_head:
                    # Without the requests before it in this piece: a head that is not all here has no empty line.
                    before = data.rfind(_END_OF_HEAD)
                    self._head_bytes += len(data) - (before + len(_END_OF_HEAD) if before >= 0 else 0)
                    if self._head_bytes > HEAD_BYTES_MAX:
                        self._refuse()
                return
        if self._is_deaf:
            self._swallowed_bytes += len(data)
            if self._swallowed_bytes > SWALLOWED_BYTES_MAX:
                self.transport.abort()

    @override
    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED_MAX:
            self._is_deaf = True
            self.cycle.keep_alive = False
        else:
            self._in_head, self._head_bytes = True, 0
            self._since = self.loop.time()
        self.url, self.headers, self.expect_100_continue = b"", [], False

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self.headers is not _NOWHERE:
            # The parser leaves white space behind a value, which is no part of it (RFC 9110, 5.5).
            super().on_header(name, value.strip(_BLANKS))

    @override
    def on_headers_complete(self) -> None:
        if self._is_deaf:
            return
        if not _reads_in_one_way(self.headers, self.parser.get_http_version()):
            raise _CannotBeRead
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _CannotBeRead
            return
        self._in_head, self._in_body = False, True
        self._since = self.loop.time()
        self._enter()
        self.headers = _NOWHERE

    @override
    def on_message_complete(self) -> None:
        if not self._in_body:
            return
        self._in_body = False
        super().on_message_complete()

    @override
    def on_body(self, body: bytes) -> None:
        if self._in_body:
            super().on_body(body)

    @override
    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        is_last = not self.pipeline
        super().on_response_complete()
        if self._last_words is not None and is_last:
            self._part(self._last_words)

    @override
    def shutdown(self) -> None:
        if self._is_parting:
            self.transport.close()
        else:
            super().shutdown()

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def _enter(self) -> None:
        """Begin the request whose head was just read."""
        self._enter_the_app()

    def _fed(self) -> None:
        """Take note that everything that has arrived was read."""

    def _enter_the_app(self) -> None:
        """Tell uvicorn of the request, whose head is known by now: what it prepares for one is of use only here."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
        # Also where the short way was left in the middle of a body: the list is the app's now.
        self.headers = _NOWHERE
        self.cycle.transport = self._unhurried  # type: ignore[assignment]  # all of it that an answer uses

    def lose_patience(self, now: float, idle_s: float) -> None:
        """End the connection if at *now*, by the loop's clock, its client has been waited for long enough."""
        waited_s = now - self._since
        if self.flow.write_paused or self.transport.is_closing():
            if self._not_taken_since is None:
                self._not_taken_since = now
            elif now - self._not_taken_since > self.patience.taking_s:
                self.count_refused("slow_to_take")
                self.transport.abort()
            return
        self._not_taken_since = None
        if self._is_parting:
            if waited_s > self.patience.parting_s:
                self.transport.close()
        elif self._in_head:
            if waited_s > self.patience.head_s:
                self._refuse("slow_head")
        elif self._is_idle() and waited_s > (self.patience.body_s if self._in_body else idle_s):
            if self._in_body:
                self.count_refused("slow_body")
            self.transport.close()

    def _is_idle(self) -> bool:
        """Whether everything that was asked for has been answered."""
        return self.cycle is None or self.cycle.response_complete

    def _without_upgrade(self) -> bytes:
        """
        Return the head just read as if it had asked for no upgrade, for a new parser, and prepare that.

        An upgrade may always be declined (RFC 9110, 7.8). The parser takes it
        for granted, and everything behind the head for another protocol's:
        the body would be read as the next request.
        """
        fields = b"".join(b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade")
        version = self.parser.get_http_version().encode()
        line = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"%s%s\r\n" % (line, fields)

    def _refuse(self, cause: str = "unreadable") -> None:
        """Answer what cannot be read as soon as everything before it is answered, and read nothing more."""
        self._is_deaf = True
        self.count_refused(cause)
        at_fault = self.cycle if self._in_body else None
        if at_fault is None:
            words: bytes | None = self.unreadable
            if self.parser.get_method() == b"HEAD":
                words = self.unreadable_without_body
            is_next = self._is_idle()
        else:
            # The app has the request already, but not all of its body, so it cannot have done anything.
            words = None if at_fault.response_started else self.unreadable
            at_fault.disconnected = True
            at_fault.message_event.set()
            before = deque(queued for queued in self.pipeline if queued[0] is not at_fault)
            is_next = len(before) == len(self.pipeline)
            self.pipeline = before
        if is_next:
            self._part(words)
        else:
            self._last_words = words

    def _close_unhurriedly(self) -> None:
        """Close when an answer was the last one, also where it came before the whole of its request."""
        if self._in_body:
            self._is_deaf = True
            self._part(b"")
        else:
            self.transport.close()

    def _part(self, words: bytes | None) -> None:
        """Say *words*, and leave time to hear them: a socket closed over unread bytes takes back what was said."""
        if self.transport.is_closing():
            return
        if words is None:
            self.transport.close()
            return
        self._is_parting = True
        self._since = self.loop.time()
        self.transport.write(words)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()


def protocol_with(headers: Headers, patience: Patience, count_refused: Callable[[str], None]) -> type[PatientProtocol]:
    """
    Return the protocol whose own refusals carry *headers*; all other answers have theirs from the app.

    *count_refused* is told why a connection is ended that never got as far as the app, or no further.
    """
    unreadable = parting_words(UNREADABLE, headers)
    of_one_server = {
        "patience": patience,
        "count_refused": staticmethod(count_refused),
        "turned_away": set[PatientProtocol](),
        "unreadable": unreadable,
        "unreadable_without_body": unreadable[: unreadable.index(b"\r\n\r\n") + 4],
        "crowded": parting_words(UNAVAILABLE, (*headers, (b"retry-after", b"%d" % RETRY_AFTER_S))),
    }
    _log.setLevel(logging.ERROR)
    return type("PatientProtocolOfOneServer", (PatientProtocol,), of_one_server)


def lose_patience(connections: Iterable[object], now: float, patience: Patience) -> None:
    """End those of the *connections* whose clients have been waited for long enough."""
    patient: Sequence[PatientProtocol] = [one for one in connections if isinstance(one, PatientProtocol)]
    idle_s = patience.idle_s_with(len(patient))
    for one in patient:
        one.lose_patience(now, idle_s)


def _reads_in_one_way(headers: Sequence[tuple[bytes, bytes]], version: str) -> bool:
    """
    Return whether everybody on the way reads the same request out of a head.

    That is: a version that we speak, one host, and a body that is framed by its length or by chunks alone.
    """
    if version not in {"1.1", "1.0"} or len(headers) > HEAD_FIELDS_MAX:
        return False
    hosts = codings = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                return False
            codings += 1
    if version == "1.1":
        return hosts == 1 and codings <= 1
    return hosts <= 1 and codings == 0
