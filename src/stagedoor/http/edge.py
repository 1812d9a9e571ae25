"""What every request passes, whoever answers it: its id, its limits of size, its line of log, its figures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cache, cached_property
from time import perf_counter
from typing import Any, cast

import structlog
from litestar.enums import HttpMethod, ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPRequestEvent,
    HTTPResponseStartEvent,
    HTTPScope,
    Message,
    Receive,
    Scope,
    Send,
    WebSocketReceiveMessage,
)

from stagedoor.http.answer import Answer
from stagedoor.http.call import Call, RequestIds
from stagedoor.http.contract import changes, entry_of, priority_of
from stagedoor.http.handlers import Handlers
from stagedoor.http.identity import Identity
from stagedoor.http.load import SHED, Load
from stagedoor.http.methods import Methods
from stagedoor.http.overdue import Overdue
from stagedoor.http.problems import BUSY, answer_to, tell
from stagedoor.http.reading import drain, read_body
from stagedoor.http.rejections import BodyTooLarge, ClientGone
from stagedoor.http.services import Services
from stagedoor.http.turn import Turn
from stagedoor.http.under_way import StoppedWaiting
from stagedoor.kernel.errors import Fault, TurnedAway
from stagedoor.observability.seldom import Seldom
from stagedoor.resilience.deadline import due

_NO_CONTENT = 204
_STOPPED = StoppedWaiting("the server stops")
CLIENT_GONE = 499
"""How a request is counted whose client did not wait for the answer."""


def identity_headers(identity: Identity) -> list[tuple[bytes, bytes]]:
    """Return what every answer says of an identity that is taken on trust."""
    return [(b"stagedoor-identity", b"demo")] if identity.name == "demo" else []


class Edge:
    """
    One layer around the app; everything a request has to pass is here and nowhere else.

    To the server it is a pure ASGI app; the calls of the hot table come in by
    `call`, `awaited` and `close`.
    """

    def __init__(self, app: ASGIApp, services: Services, methods: Methods, handlers: Handlers) -> None:
        """Stand in front of *app*, whose paths know *methods* and lead to *handlers*."""
        self._app = app
        self._methods = methods
        self._handlers = handlers
        self._services = services
        self._new_id = RequestIds()
        self._log = structlog.get_logger("stagedoor.http")
        self._seldom = Seldom()
        self._identity_header = identity_headers(services.identity)
        self._identity_line = b"".join(b"%b: %b\r\n" % field for field in self._identity_header)
        self._under_way = 0
        self._overdue = Overdue()
        services.metrics.http_under_way.set_function(lambda: self._under_way)

    @cached_property
    def _least_told(self) -> int:
        """The least level that is logged; asked for the first time when logging has been set up, and costs to ask."""
        levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
        return next((level for level in levels if self._log.is_enabled_for(level)), logging.CRITICAL)

    @property
    def body_bytes_max(self) -> int:
        """How long a body may be."""
        return self._services.body_bytes_max

    @property
    def load(self) -> Load:
        """Who says whether a call may begin."""
        return self._services.load

    def call(self, scope: HTTPScope) -> Call:
        """Begin a request."""
        return Call(scope, self._services, self._new_id())

    async def awaited(self, call: Call, work: Callable[[], Awaitable[Answer[Any]]], *, changes: bool) -> Answer[Any]:
        """
        Return what *work* does, or the answer to what it raises; only cancellation is raised.

        *changes* says whether it is a call that changes something: they have a deadline of their own.
        """
        self._under_way += 1
        try:
            now = self._overdue.loop.time()
            deadline = self._services.deadlines.of(call.scope["headers"], now, changes=changes)
            with due(deadline):
                return await self._overdue.in_time(work(), deadline.at, deadline.missed)
        except asyncio.CancelledError:
            if not self._services.draining():
                raise
            return answer_to(_STOPPED, call)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is told as what it is
            return answer_to(error, call)
        finally:
            self._under_way -= 1

    def shed(self, call: Call, method: str) -> tuple[Answer[Any], bytes]:
        """Put the call off; return the answer that says so, and its head."""
        answer = self._put_off(call)
        return answer, self.close(call, method, answer)

    def close(self, call: Call, method: str, answer: Answer[Any]) -> bytes:
        """End the request: account for it, and return the head of its answer."""
        call.status = answer.status
        self._account(call, method)
        call.end()
        return b"%bx-request-id: %b\r\n%b%b\r\n" % (
            answer.head(),
            call.request_id.encode(),
            self._identity_line,
            b"connection: close\r\n" if self._services.draining() else b"",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Nothing is raised but cancellation."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == HttpMethod.HEAD:
            # The answer to HEAD is the answer to GET without its body; no call has to know.
            scope = cast("HTTPScope", {**scope, "method": "GET"})
        call = self.call(scope)
        handler = self._handlers.of(scope["method"], scope["path"])
        turn = Turn(
            call,
            priority_of(handler),
            self._overdue,
            changes=changes(handler, scope["method"]),
        )
        reads_body = handler is not None and handler.parsed_data_field is not None

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                turn.answered()
                self._finish_head(call, message)
            elif method == HttpMethod.HEAD and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        self._under_way += 1
        try:
            if turn.may_begin():
                await self._answer(call, method, receive, send_on, turn, reads_body=reads_body)
            else:
                if handler is not None:
                    scope["route_handler"] = handler
                await self._put_off(call)(scope, receive, send_on)
        finally:
            turn.end()
            self._under_way -= 1
            self._account(call, method)

    async def _answer(  # noqa: PLR0913 -- what ASGI gives, and whose call it is
        self, call: Call, method: str, receive: Receive, send: Send, turn: Turn, *, reads_body: bool
    ) -> None:
        try:
            async with turn.in_time():
                receive = await self._measured(call, receive, reads_body=reads_body)
                turn.begin()
                if method == HttpMethod.OPTIONS and (allowed := self._methods.of(call.scope["path"])):
                    known = Answer[None](b"", status=_NO_CONTENT, headers=((b"allow", allowed.encode()),))
                    await known(call.scope, receive, send)
                    return
                await self._app(call.scope, receive, send)
        except ClientGone:
            call.status = CLIENT_GONE
        except asyncio.CancelledError:
            # The server cancels what is still under way when a stop has waited long enough: a client that was slow
            # with its body, as a rule. It is told to come back; the cancellation ends with the task.
            if call.status or not self._services.draining():
                raise
            await answer_to(_STOPPED, call)(call.scope, receive, send)
        except Exception as error:
            # The last place before the server, which would answer outside the envelope. Whatever it is, it is told
            # as what it is, unless the answer has begun: then the connection is cut, which says enough.
            if call.status:
                call.cause = error
                raise
            await answer_to(error, call)(call.scope, receive, send)

    def _put_off(self, call: Call) -> Answer[Any]:
        call.cause = SHED
        self._services.metrics.count_shed(call.name)
        return tell(BUSY, call, retry_after_ms=self.load.put_off())

    async def _measured(self, call: Call, receive: Receive, *, reads_body: bool) -> Receive:
        """
        Return what the body is received from. Raises `BodyTooLarge`, whether or not the call would have read it.

        A body that the call reads is here before it begins: its time runs from then on, whatever it does first. One
        that it does not read is waited for only where its length was not announced.
        """
        chunked, announced = False, 0
        for name, value in call.scope["headers"]:
            if name == b"content-length" and value.isdigit():
                announced = int(value)
                if announced > self._services.body_bytes_max:
                    await drain(receive)
                    raise BodyTooLarge
            chunked = chunked or name == b"transfer-encoding"
        if chunked or (announced and reads_body):
            return _again(await read_body(call, receive), receive)
        return receive

    def _finish_head(self, call: Call, message: HTTPResponseStartEvent) -> None:
        call.status = message["status"]
        headers = [*message["headers"], (b"x-request-id", call.request_id.encode()), *self._identity_header]
        if self._services.draining():
            headers.append((b"connection", b"close"))
        message["headers"] = headers

    def _account(self, call: Call, method: str) -> None:
        seconds = perf_counter() - call.began
        name, status = call.name, call.status or CLIENT_GONE
        metrics = self._services.metrics
        metrics.count_answer(name, status, seconds)
        quiet = call.code is None and call.cause is None and status != CLIENT_GONE and _is_quiet(call)
        if quiet and self._least_told > logging.DEBUG:
            return
        if call.code is not None:
            metrics.count_refusal(call.code)
        level, cause = self._outcome(call, quiet=quiet)
        if level >= self._least_told:
            facts = {"call": name, "method": method, "status": status, "ms": round(seconds * 1_000, 2), **cause}
            if call.code is not None:
                facts["code"] = call.code
            self._log.log(level, "http.request", request_id=call.request_id, **facts)

    def _outcome(self, call: Call, *, quiet: bool) -> tuple[int, dict[str, Any]]:
        """Count what the call failed of, if it did; return how important a line about it is, and what else it says."""
        match call.cause:
            case None:
                return logging.DEBUG if quiet else logging.INFO, {}
            case Fault():
                kind = type(call.cause).__name__
                self._services.metrics.count_fault(kind)
                # In an outage all calls fail of the same, and a traceback costs what a hundred polls do. Who was turned
                # away is told of by whatever did it.
                unsaid = None if isinstance(call.cause, TurnedAway) else self._seldom.say(kind, perf_counter())
                if unsaid is None:
                    return logging.DEBUG, {"cause": str(call.cause)}
                return logging.WARNING, {"exc_info": call.cause, "left_unsaid": unsaid}
            case _:
                self._services.metrics.defects.inc()
                return logging.ERROR, {"exc_info": call.cause}


def _is_quiet(call: Call) -> bool:
    return _has_quiet_entry(call.scope.get("route_handler"))


@cache
def _has_quiet_entry(handler: BaseRouteHandler | None) -> bool:
    entry = None if handler is None else entry_of(handler)
    return entry is not None and entry.quiet


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what receives *body*, which was read already, as if for the first time."""
    is_given = False

    async def receive_again() -> HTTPReceiveMessage | WebSocketReceiveMessage:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return cast("HTTPRequestEvent", {"type": "http.request", "body": body, "more_body": False})

    return receive_again
