"""
The calls that crowds make, from a table of methods and paths: the very handlers, without a framework before them.

Most of what a poll costs is the way to its handler: a scope, a task, two
messages, a router, and back. A request that arrived whole and is for one of
these calls goes there directly, and where nothing has to be waited for (which
is the rule for polls and lists) it is answered before the next one is read.
What is unusual about a request in any way goes through the app, which answers
it with the same bytes.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import HTTPScope

from stagedoor.http.answer import Answer
from stagedoor.http.call import Call
from stagedoor.http.concerts import schedule_at_once, seats_at_once
from stagedoor.http.contract import changes, priority_of
from stagedoor.http.edge import Edge
from stagedoor.http.problems import answer_to
from stagedoor.http.queue import check_at_once
from stagedoor.http.reading import read_whole
from stagedoor.resilience.priority import Priority

AtOnce = Callable[[Call], Answer[Any] | None]
"""Answers a call, whose body says nothing to it; None if that would have to wait."""

_AT_ONCE: dict[str, AtOnce] = {
    "check_token": check_at_once,
    "list_schedule": schedule_at_once,
    "list_seats": seats_at_once,
}
"""By the names of their handlers."""

_HOT = frozenset(
    {"issue_token", "queue_status", "list_concerts", "reserve_seats", "pay", "charge", "read_balance", *_AT_ONCE}
)


class HotCall(NamedTuple):
    """One row of the table. *model* is what its body is read as, None for a call that has none."""

    method: str
    path: str
    handler: HTTPRouteHandler
    run: Callable[..., Awaitable[Answer[Any]]]
    model: type[Any] | None
    at_once: AtOnce | None
    priority: Priority
    changes: bool


class HotCalls:
    """Answers hot requests to an app, through the app's own edge."""

    def __init__(self, app: Litestar) -> None:
        """Take the calls from *app*, whose edge is already in front of it."""
        assert isinstance(app.asgi_handler, Edge)
        self._edge = app.asgi_handler
        self._load = app.asgi_handler.load
        self._rows = {(row.method.encode(), row.path.encode()): row for row in _rows(app)}
        self.body_bytes_max = self._edge.body_bytes_max

    def find(self, method: bytes, path: bytes) -> HotCall | None:
        """Return the call that *path*, as it was sent, leads to; None where there is none."""
        return self._rows.get((method, path))

    def begin(
        self, row: HotCall, query_string: bytes, headers: list[tuple[bytes, bytes]], client: tuple[str, int] | None
    ) -> Call:
        """Begin a request that arrived whole."""
        scope = {
            "type": "http",
            "method": row.method,
            "path": row.path,
            "query_string": query_string,
            "headers": headers,
            "client": client,
            "route_handler": row.handler,
        }
        return self._edge.call(cast("HTTPScope", scope))

    def at_once(self, row: HotCall, call: Call) -> tuple[Answer[Any], bytes] | None:
        """
        Return the answer and the head it is sent under, None if the call has to wait for something.

        What has to wait counts as under way from here on, and has to be given to `answer`.
        """
        if self._load.sheds(row.priority):
            return self._edge.shed(call, row.method)
        answer: Answer[Any] | None = None
        if row.at_once is not None:
            try:
                answer = row.at_once(call)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is told as what it is
                answer = answer_to(error, call)
        if answer is not None:
            return answer, self._edge.close(call, row.method, answer)
        if not self._load.has_room(row.priority, call.began):
            return self._edge.shed(call, row.method)
        self._load.begin(row.priority, call.began)
        return None

    async def answer(self, row: HotCall, call: Call, body: bytes) -> tuple[Answer[Any], bytes]:
        """Return the answer and the head it is sent under. Nothing is raised but cancellation."""
        try:
            answer = await self._edge.awaited(call, lambda: _run(row, call, body), changes=row.changes)
        finally:
            self._load.end(row.priority, call.began)
        return answer, self._edge.close(call, row.method, answer)


def _rows(app: Litestar) -> list[HotCall]:
    return [
        HotCall(
            method=method,
            path=route.path,
            handler=handler,
            run=handler.fn,
            model=_model(handler),
            at_once=_AT_ONCE.get(handler.handler_name),
            priority=priority_of(handler),
            changes=changes(handler, method),
        )
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.handler_name in _HOT
        for method in handler.http_methods
        if method != "OPTIONS"
    ]


def _model(handler: HTTPRouteHandler) -> type[Any] | None:
    field = handler.parsed_data_field
    return None if field is None else cast("type[Any]", field.annotation)


def _run(row: HotCall, call: Call, body: bytes) -> Awaitable[Answer[Any]]:
    if row.model is None:
        return row.run(scope=call.scope)
    return row.run(scope=call.scope, data=read_whole(call, body, row.model))
