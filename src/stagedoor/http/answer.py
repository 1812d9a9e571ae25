"""What a call answers: a status, headers, and bytes that are ready to be sent."""

from enum import Enum
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send
from typing_extensions import override

T = TypeVar("T")

RawHeaders = tuple[tuple[bytes, bytes], ...]

_encode = msgspec.json.Encoder().encode

_SUCCESS = b'{"resultType":"SUCCESS","data":'
_SUCCESS_END = b',"exception":{}}'
_STALE_END = b',"stale":true' + _SUCCESS_END
_JSON = (b"content-type", b"application/json")
_REPLAYED = (b"idempotent-replay", b"true")
_WITHOUT_BODY = (204, 304)
_HEADS_KEPT_MAX = 1_024


class Cache(Enum):
    """Who may keep an answer."""

    NOBODY = (b"cache-control", b"no-store")
    HER_ALONE = (b"cache-control", b"private, no-store")
    HER_IF_ASKED_AGAIN = (b"cache-control", b"private, no-cache")
    EVERYBODY_1_S = (b"cache-control", b"public, max-age=1")
    EVERYBODY_1_H = (b"cache-control", b"public, max-age=3600")


_SUCCESS_HEADERS: dict[Cache, RawHeaders] = {cache: (_JSON, cache.value) for cache in Cache}


class Answer(Response[T], Generic[T]):
    """
    One whole answer; *T* is what its `data` is, for the reader and the API document.

    To Litestar it is a response, to everything else an ASGI app. The call
    that made it decided everything, so nothing of Litestar's own rendering is
    run, and the hot path in front of it can send the very same bytes.
    """

    __slots__ = ("body", "raw_headers", "status")

    def __init__(self, body: bytes, *, status: int = 200, headers: RawHeaders = ()) -> None:
        """Keep what is to be sent; the length is added in sending."""
        # Response.__init__ is not called on purpose: it prepares a rendering that never happens.
        self.body = body
        self.status = status
        self.raw_headers = headers

    @override
    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """Answer Litestar, which would now render."""
        return self  # type: ignore[return-value]  # called as an ASGI app and nothing else

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI's form
        """Send it."""
        headers = list(self.raw_headers)
        if self.status not in _WITHOUT_BODY:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})

    def head(self) -> bytes:
        """Return the headers as they go over the wire, those that `__call__` sends."""
        head = _rendered(self.raw_headers)
        return head if self.status in _WITHOUT_BODY else b"%bcontent-length: %d\r\n" % (head, len(self.body))


@lru_cache(maxsize=_HEADS_KEPT_MAX)
def _rendered(headers: RawHeaders) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in headers)


def success_body(data: object) -> bytes:
    """Return the envelope around *data*."""
    return _SUCCESS + _encode(data) + _SUCCESS_END


def success_around(rendered: bytes) -> bytes:
    """Return the envelope around data that is JSON already."""
    return _SUCCESS + rendered + _SUCCESS_END


def stale(body: bytes) -> bytes:
    """Return *body*, an envelope around data, saying of itself that it may be out of date."""
    return body.removesuffix(_SUCCESS_END) + _STALE_END


def success(data: T, cache: Cache = Cache.HER_ALONE, *, replayed: bool = False) -> Answer[T]:
    """Answer *data*; *replayed* says that a first answer is given again."""
    headers = _SUCCESS_HEADERS[cache]
    return Answer(success_body(data), headers=(*headers, _REPLAYED) if replayed else headers)


def success_json(rendered: bytes, cache: Cache) -> Answer[Any]:
    """Answer data that is JSON already."""
    return Answer(_SUCCESS + rendered + _SUCCESS_END, headers=_SUCCESS_HEADERS[cache])


def failure(exception: object, *, status: int, headers: RawHeaders) -> Answer[Any]:
    """Answer with a refusal, a fault or a defect."""
    body = b'{"resultType":"FAIL","data":{},"exception":' + _encode(exception) + b"}"
    return Answer(body, status=status, headers=(_JSON, Cache.NOBODY.value, *headers))
