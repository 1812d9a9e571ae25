"""A call needs nothing of the framework that routes to it: asked directly, it answers the very same bytes."""

from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler

from stagedoor.http import concerts, queue
from stagedoor.http.call import Call
from tests.integration.http.asking import Asking
from tests.integration.http.stage import Stage


def a_scope(token: str, query: bytes = b"") -> dict[str, Any]:
    return {"type": "http", "headers": [(b"authorization", token.encode())], "query_string": query, "client": None}


@pytest.mark.parametrize(
    ("method", "path", "handler"),
    [
        ("POST", "/queue/token/check", queue.check_token),
        ("GET", "/concerts/schedule", concerts.list_schedule),
        ("GET", "/concerts/seat?scheduleId=1&status=all", concerts.list_seats),
    ],
)
async def test_the_answer_is_the_same(
    stage: Stage, client: Asking, method: str, path: str, handler: HTTPRouteHandler
) -> None:
    token = stage.token()
    scope = a_scope(token, path.partition("?")[2].encode())
    Call(scope, stage.services, "request-1")  # type: ignore[arg-type]  # no more of a scope is needed

    routed = await client.ask(method, path, token=token)
    direct = await handler.fn(scope=scope)

    assert direct.status == routed.status
    assert direct.body == routed.body
    for name, value in direct.raw_headers:
        assert routed.headers[name.decode()] == value.decode()
