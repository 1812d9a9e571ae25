"""
Requests as nearly all clients write them, read in one look.

A parser tells of a head piece by piece, which costs a crowd's poll a fifth of
its answer. Here a request is read only where it can be read in one way and
came whole, alone: HTTP/1.1, printable ASCII, one host, no wish but to keep
the connection, and as many bytes of body as announced. Everything else is the
parser's, which would read what is read here in the same way.
"""

import re
from functools import lru_cache

Fields = list[tuple[bytes, bytes]]

PLAIN_BYTES_MAX = 16_384

_PRINTABLE = bytes(range(0x20, 0x7F))
_REQUEST_LINE = re.compile(rb"(GET|POST) (/[A-Za-z0-9/._-]*)(?:\?([A-Za-z0-9=&%._~+-]*))? HTTP/1\.1")
_NAME = re.compile(rb"[!#$%&'*+\-.0-9A-Z^_`a-z|~]+")
_LENGTH_DIGITS_MAX = 5
_KEPT_MAX = 1_024

_HOST, _LENGTH, _CONNECTION = b"host", b"content-length", b"connection"

# What says how the rest is to be read, what is to come, or what becomes of the connection.
_TELLING = frozenset(
    [
        _HOST,
        _LENGTH,
        _CONNECTION,
        b"expect",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ]
)


PlainRequest = tuple[bytes, bytes, bytes, Fields, bytes]
"""Method, path, query, fields (their names in lower case) and body."""


def read_plain(data: bytes, *, fields_max: int) -> PlainRequest | None:
    """Return the one whole request that *data* is; None if it is anything else, or has over *fields_max* fields."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end or len(data) > PLAIN_BYTES_MAX:
        return None
    lines = head.split(b"\r\n")
    asked = _asked(lines[0])
    # Without what is printable, nothing but the ends of the lines is left.
    if asked is None or len(lines) - 1 > fields_max or head.translate(None, _PRINTABLE) != b"\r\n" * (len(lines) - 1):
        return None
    fields: Fields = []
    hosts, length = 0, b""
    del lines[0]
    for line in lines:
        written, _, value = line.partition(b": ")
        name = _name(written)
        if name is None or not value or value.strip() != value:
            return None
        if name in _TELLING:
            if name == _HOST:
                hosts += 1
            elif name == _LENGTH and not length and value.isdigit() and len(value) <= _LENGTH_DIGITS_MAX:
                length = value
            elif name != _CONNECTION or value.lower() != b"keep-alive":
                return None
        fields.append((name, value))
    if hosts != 1 or len(body) != int(length or 0):
        return None
    return (*asked, fields, body)


@lru_cache(maxsize=_KEPT_MAX)
def _asked(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    found = _REQUEST_LINE.fullmatch(line)
    return None if found is None else (found[1], found[2], found[3] or b"")


@lru_cache(maxsize=_KEPT_MAX)
def _name(written: bytes) -> bytes | None:
    return written.lower() if _NAME.fullmatch(written) else None
