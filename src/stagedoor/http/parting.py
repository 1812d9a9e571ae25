"""The last words to a client whose request never got as far as the app: a whole answer, made once."""

from collections.abc import Sequence

import msgspec

from stagedoor.http.problems import Refusal

Headers = Sequence[tuple[bytes, bytes]]

_PHRASES = {400: b"Bad Request", 503: b"Service Unavailable"}


def parting_words(refusal: Refusal, headers: Headers) -> bytes:
    """Return *refusal* in the envelope, head and all, with *headers*; the connection ends with it."""
    exception: dict[str, object] = {"code": refusal.code, "message": refusal.en}
    body = msgspec.json.encode({"resultType": "FAIL", "data": {}, "exception": exception})
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        *headers,
    ]
    line = b"HTTP/1.1 %d %s\r\n" % (refusal.status, _PHRASES[refusal.status])
    return line + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n" + body
