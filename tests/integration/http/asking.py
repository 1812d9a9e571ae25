"""A client that holds every answer against the API document: what that does not tell of, fails the test."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from stagedoor.http.contract import entry_of
from stagedoor.http.openapi import data_type, refusals_of
from stagedoor.http.wire import Failure

BASE = "/v1/api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = msgspec.json.decode(self.body)
        return read

    @property
    def data(self) -> Any:  # noqa: ANN401 -- an object or a list, as the call says
        assert self.status == 200, self.body
        return self.document["data"]

    @property
    def exception(self) -> dict[str, Any]:
        told: dict[str, Any] = self.document["exception"]
        return told

    @property
    def verdict(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        return self.status, self.exception["code"]

    @property
    def field(self) -> str:
        """The field a 400 names."""
        [detail] = self.exception["details"]
        name: str = detail["field"]
        return name


class Asking:
    """Asks the app without a socket; paths are relative to the API's base unless they start with two slashes."""

    def __init__(self, app: Litestar) -> None:
        self._calls = list(_calls(app))
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=True),  # type: ignore[arg-type]  # its own ASGI types
            base_url="http://127.0.0.1",
            headers={"accept-encoding": "identity"},
        )

    async def ask(  # noqa: PLR0913 -- one argument for each part of a request
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        raw: bytes | None = None,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request and return its answer, once it has been held against the document."""
        sent = {"content-type": "application/json", **(headers or {})}
        if token is not None:
            sent["authorization"] = token
        if key is not None:
            sent["idempotency-key"] = key
        content = raw if raw is not None or json is None else msgspec.json.encode(json)
        url = path[1:] if path.startswith("//") else BASE + path
        answered = await self.http.request(method, url, content=content, headers=sent)
        reply = Reply(status=answered.status_code, headers=answered.headers, body=answered.content)
        self._hold_against_the_document(method, url.partition("?")[0], reply)
        return reply

    def _hold_against_the_document(self, method: str, path: str, reply: Reply) -> None:
        for pattern, known_method, handler in self._calls:
            if method == known_method and pattern.fullmatch(path):
                entry = entry_of(handler)
                assert entry is not None
                if reply.status == 304:
                    assert entry.listing
                elif reply.status == 200:
                    hold_against_type(reply, data_type(handler), may_be_stale=entry.listing)
                else:
                    known = {(refusal.status, refusal.code) for refusal in refusals_of(handler, entry)}
                    assert reply.verdict in known, f"{method} {path} does not tell of {reply.verdict}"
                    assert hold_against_type_of_failure(reply)


def hold_against_type(reply: Reply, kind: Any, *, may_be_stale: bool) -> None:  # noqa: ANN401 -- any type a call answers
    """The data is of the type, with no field the type does not know; what is stale says so in its head as well."""
    if kind is str:
        return
    document = reply.document
    is_stale = may_be_stale and "age" in reply.headers
    assert list(document) == ["resultType", "data", *(["stale"] if is_stale else []), "exception"]
    assert document["resultType"] == "SUCCESS"
    assert document["exception"] == {}
    assert msgspec.to_builtins(msgspec.convert(document["data"], kind)) == document["data"]


def hold_against_type_of_failure(reply: Reply) -> bool:
    """The exception is of its type, with no field the type does not know."""
    document = reply.document
    assert list(document) == ["resultType", "data", "exception"]
    assert document["resultType"] == "FAIL"
    assert document["data"] == {}
    return bool(msgspec.to_builtins(msgspec.convert(document["exception"], Failure)) == document["exception"])


def _calls(app: Litestar) -> Iterator[tuple[re.Pattern[str], str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", route.path_format))
            for handler in route.route_handlers:
                if entry_of(handler) is not None:
                    for method in handler.http_methods:
                        yield pattern, method, handler
