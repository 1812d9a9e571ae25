"""A client of the HTTP API that keeps its connections, and everything it was told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from tests.e2e.harness.answers import NOBODY, Answer, now_ms
from tests.e2e.harness.wire import ConnectionCutError, Wire

HOST = "127.0.0.1"
BASE_PATH = "/v1/api"
DEADLINE_SECONDS = 30

_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A request that was sent and never answered."""

    method: str
    path: str
    buyer_id: int
    sent_at: int


class Client:
    """
    Asks the server on *port*; as many requests at once as the caller likes, each on its own connection.

    *record* has every answer in the order in which they came, *cut* every
    request that was sent and never answered.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.record: list[Answer] = []
        self.cut: list[Cut] = []
        self._idle: list[Wire] = []

    @classmethod
    @asynccontextmanager
    async def on(cls, port: int) -> AsyncIterator[Self]:
        """Open a client and hang up all its connections at the end."""
        client = cls(port)
        try:
            yield client
        finally:
            client.hang_up()

    def hang_up(self) -> None:
        """Close the connections that rest."""
        for wire in self._idle:
            wire.hang_up()
        self._idle.clear()

    async def ask(  # noqa: PLR0913 -- one argument for each part of a request
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        token: str | None = None,
        key: str | None = None,
        buyer_id: int = NOBODY,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Answer:
        """
        Send one request and return its answer.

        *path* is relative to the API's base unless it starts with two slashes.
        *body* is sent as JSON, *raw* as it is. Raises `ConnectionCutError` if
        the connection ended first, `TimeoutError` after `DEADLINE_SECONDS`.
        """
        request = self._request(method, path, body=body, raw=raw, token=token, key=key, headers=headers)
        wire = await self._wire()
        sent_at = now_ms()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                said = await wire.ask(request)
        except asyncio.CancelledError:
            wire.hang_up()
            raise
        except (ConnectionCutError, TimeoutError):
            wire.hang_up()
            self.cut.append(Cut(method=method, path=path, buyer_id=buyer_id, sent_at=sent_at))
            raise
        if wire.is_open:
            self._idle.append(wire)
        else:
            # The server's hanging up may still be on its way when the loop ends, and then nobody would.
            wire.hang_up()
        answer = Answer(
            method=method,
            path=path,
            asked=body,
            buyer_id=buyer_id,
            key=key,
            status=said.status,
            headers=said.headers,
            raw=said.body,
            sent_at=sent_at,
            answered_at=now_ms(),
        )
        self.record.append(answer)
        return answer

    async def send_and_hang_up(self, method: str, path: str, *, body: object, token: str, key: str | None) -> None:
        """Send a request and be gone before it is answered."""
        wire = await self._wire()
        wire.send_and_hang_up(self._request(method, path, body=body, token=token, key=key))

    async def _wire(self) -> Wire:
        while self._idle:
            wire = self._idle.pop()
            if wire.is_open:
                return wire
        async with asyncio.timeout(DEADLINE_SECONDS):
            _, wire = await asyncio.get_running_loop().create_connection(Wire, HOST, self.port)
        return wire

    def _request(  # noqa: PLR0913 -- as `ask`
        self,
        method: str,
        path: str,
        *,
        body: object,
        raw: bytes | None = None,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> bytes:
        content = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        fields: dict[str, Any] = {"Host": f"{HOST}:{self.port}", "Content-Type": "application/json"}
        if token is not None:
            fields["Authorization"] = token
        if key is not None:
            fields["Idempotency-Key"] = key
        if content or method == "POST":
            fields["Content-Length"] = len(content)
        fields.update(headers)
        target = path[1:] if path.startswith("//") else BASE_PATH + path
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + content
