"""
Requests that no honest client sends, each made from an honest one, by a seed.

What frames a request (its length, the blank line) stays right, so that each of
them is one request and has to get one answer.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

NASTY_VALUES: Sequence[str] = (
    *("0", "-1", "-0", "1", "1.0", "1e0", "1E400", "-1e-400", "0.1", "01", "+1", "NaN", "Infinity", "-Infinity"),
    *("9007199254740991", "9007199254740992", "9223372036854775807", "9223372036854775808", "18446744073709551616"),
    *("10000000", "10000001", "1000000000000", "1" + "0" * 309, "9" * 5_000, "0." + "3" * 5_000),
    *("true", "false", "null", "{}", "[]", "[[]]", '[{"a":[]}]', '""', '"1"', '"01"', '" 1"', '"\\u0000"'),
    *('"\\ud800"', '"\\udc00\\ud800"', '"\ufeff"', '"\U0001f3ad"', '"a\u0301"', '"\u202e"', '"\uff11"', '"\u0661"'),
    *('"main"', '"open"', '"full"', '"OPEN"', '"open\\u0000"', '"../open"', '"\' OR 1=1 --"', '"${7*7}"', '"%s%n"'),
    *('"' + "x" * 129 + '"', '"' + "y" * 9_000 + '"', "[" * 17 + "]" * 17, "[" * 5_000 + "]" * 5_000),
    *("[1,1]", "[1,2,3,4,5]", "[1,null]", "[-1]", "[1.5]", '["1"]', "[" + "1," * 3_000 + "1]", '{"a":1,"a":2}'),
    *("'1'", "1,", ",", "{", "}", "undefined", "/**/1", "\x00", "\x0c1", "\\u0031"),
)
NASTY_HEADERS: Sequence[tuple[bytes, bytes]] = (
    *((b"Idempotency-Key", value) for value in (b"", b" ", b"k" * 128, b"k" * 129, b"\xc3\xa9", b"a\tb", b"k")),
    *((b"Content-Type", value) for value in (b"", b"text/plain", b"application/json; charset=utf-16", b"json", b";")),
    *((b"Content-Type", value) for value in (b"application/jsonx", b"multipart/form-data", b"application/json;" * 50)),
    *((b"Accept-Language", value) for value in (b"ko;q=nan", b"q", b"ko;q=1e999", b"*;q=0", b",," * 500, b"\xff")),
    *((b"Accept-Encoding", value) for value in (b"gzip;q=x", b"*", b"identity;q=0, *;q=0", b"br" * 900, b"\xff")),
    *((b"If-None-Match", value) for value in (b"*", b'W/"', b'"' * 3, b"," * 900, b'"a", W/"b"', b"\xff\xfe")),
    *((b"X-Forwarded-For", value) for value in (b"192.0.2.1", b"::1", b"," * 900, b"[::1]:x", b"unknown", b"1" * 900)),
    *(
        (b"X-Identity", value)
        for value in (b"", b"x", b"a.b.c", b"..", b"x" * 9_000, b"\xff", b"eyJhbGciOiJub25lIn0.e30.")
    ),
    *((b"Authorization", value) for value in (b"", b"Bearer", b"bearer ", b"Bearer  x", b"Basic eDp5", b"\xff" * 40)),
    *((b"Cookie", value) for value in (b"a=b", b"a=" + b"c" * 30_000, b"\xff", b";" * 900, b"__proto__=1")),
    *((b"Expect", value) for value in (b"100-continue", b"200-ok")),
    *((b"Range", b"bytes=0-0"), (b"Accept", b"application/openmetrics-text; version=x"), (b"Accept", b"\xff")),
    *((b"X-HTTP-Method-Override", b"DELETE"), (b"Forwarded", b"for=[::1]"), (b"X-Original-URL", b"/ops/api/rooms")),
    *((b"Upgrade", b"h2c"), (b"Connection", b"Upgrade, close"), (b"Content-Encoding", b"gzip"), (b"TE", b"trailers")),
    *((b"X" * 300, b"y"), (b"Origin", b"null"), (b"Date", b"yesterday"), (b"Origin", b"https://elsewhere.example")),
)
NASTY_PIECES_OF_PATH: Sequence[bytes] = (
    *(b"/", b"//", b"/.", b"/..", b"/../..", b"%2f", b"%2F..%2f", b"%00", b"%", b"%zz", b"%c0%af", b"%ff", b"%25"),
    *(
        b";a=b",
        b":",
        b"@",
        b"\\",
        b"*",
        b"~",
        b"%e2%80%ae",
        b"%F0%9F%8E%AD",
        b"{}",
        b"?",
        b"??",
        b"&&",
        b"=",
        b"a" * 3_000,
    ),
    *(b"?scheduleId=1&scheduleId=2", b"?scheduleId=%31", b"?scheduleId=+1", b"?scheduleId=-1", b"?scheduleId=1e3"),
    *(
        b"?scheduleId=" + b"9" * 5_000,
        b"?scheduleId=%00",
        b"?scheduleId=%ff",
        b"?scheduleId=",
        b"?scheduleId",
        b"?%ff=1",
    ),
    *(b"?status=all", b"?status=ALL", b"?status=%00", b"?userId=1", b"?userId=0", b"?userId=9007199254740993"),
    *(b"?room=open", b"?room=" + b"r" * 5_000, b"?room=%ed%a0%80", b"?limit=0", b"?limit=99999999999999999999"),
    *(b"?" + b"a=b&" * 51, b"?room[]=open", b"?room=open%20", b"?before=0", b"?room=a;room=b", b"?" + b"%41" * 900),
)
METHODS = (b"GET", b"POST", b"DELETE", b"HEAD", b"PUT", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND", b"SEARCH")
JUNK = bytes(byte for byte in range(256) if byte not in b"\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """A request as a client should send it; *headers* are those beside host, length and `Connection: close`."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def encoded(self) -> bytes:
        """Return its bytes, the length last among the headers."""
        fields = b"".join(b"%s: %s\r\n" % field for field in self.headers)
        framing = b"Host: x\r\nConnection: close\r\nContent-Length: %d\r\n" % len(self.body)
        return b"%s %s HTTP/1.1\r\n%s%s\r\n%s" % (self.method, self.target, fields, framing, self.body)


Mutation = Callable[[Honest, Random], Honest]


def mutated(honest: Sequence[Honest], *, count: int, seed: int) -> Iterator[Honest]:
    """Yield *count* requests, each with one to three things wrong."""
    chance = Random(seed)
    for _ in range(count):
        request = chance.choice(honest)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            request = chance.choice(MUTATIONS)(request, chance)
        yield request


def with_nasty_value(request: Honest, chance: Random) -> Honest:
    """Exchange a value of the body, or add a field."""
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        document = {}
    fields: dict[str, Any] = document if isinstance(document, dict) else {}
    names = [*fields, "room", "userId", "amount", "seatIds", "extra"]
    chosen = chance.choice(names)
    texts = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in fields.items() if name != chosen]
    texts.append(f"{json.dumps(chosen)}:{chance.choice(NASTY_VALUES)}")
    chance.shuffle(texts)
    return replace(request, body=("{" + ",".join(texts) + "}").encode("utf-8", "surrogatepass"))


def with_nasty_body(request: Honest, chance: Random) -> Honest:
    """Send no object at all, or in another encoding."""
    text = chance.choice(NASTY_VALUES)
    encoding = chance.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-7"))
    return replace(request, body=text.encode(encoding, "surrogatepass"))


def with_damaged_body(request: Honest, chance: Random) -> Honest:
    """Exchange, drop, double or add bytes."""
    return replace(request, body=_damaged(request.body or b"{}", chance, bytes(range(256))))


def with_large_body(request: Honest, chance: Random) -> Honest:
    """Send more than is taken, by a byte or by much."""
    size = chance.choice((16_000, 16_384, 16_385, 20_000, 200_000))
    filler = chance.choice((b" ", b"[", b'{"a":', b"9", b'"', b"\x00"))
    return replace(request, body=(filler * size)[:size])


def with_nasty_header(request: Honest, chance: Random) -> Honest:
    """Add a header, beside or in the place of the one there."""
    added = chance.choice(NASTY_HEADERS)
    kept = request.headers
    if chance.random() < 0.7:
        kept = tuple(field for field in kept if field[0].lower() != added[0].lower())
    return replace(request, headers=(*kept, added))


def with_damaged_header(request: Honest, chance: Random) -> Honest:
    """Exchange, drop, double or add bytes of a header: its token, as a rule."""
    if not request.headers:
        return with_nasty_header(request, chance)
    index = chance.randrange(len(request.headers))
    fields = list(request.headers)
    name, value = fields[index]
    fields[index] = (name, _damaged(value or b"x", chance, JUNK))
    return replace(request, headers=tuple(fields))


def without_a_header(request: Honest, chance: Random) -> Honest:
    """Leave a header out."""
    if not request.headers:
        return replace(request, body=b"")
    gone = chance.randrange(len(request.headers))
    return replace(request, headers=request.headers[:gone] + request.headers[gone + 1 :])


def with_nasty_path(request: Honest, chance: Random) -> Honest:
    """Put something into the target, or at its end."""
    target, piece = request.target, chance.choice(NASTY_PIECES_OF_PATH)
    at = chance.choice((len(target), chance.randrange(1, len(target) + 1)))
    return replace(request, target=target[:at] + piece + target[at:])


def with_damaged_path(request: Honest, chance: Random) -> Honest:
    """Exchange, drop, double or add bytes of the target."""
    junk = bytes(byte for byte in JUNK if byte not in b" \t")
    return replace(request, target=b"/" + _damaged(request.target[1:] or b"x", chance, junk))


def in_another_form(request: Honest, chance: Random) -> Honest:
    """Send the target whole, as to a proxy, or by another name."""
    host = chance.choice((b"http://x", b"https://elsewhere.example:1", b"HTTP://[::1]", b"ftp://x", b"http://a@b"))
    return replace(request, target=host + request.target)


def by_another_method(request: Honest, chance: Random) -> Honest:
    """Ask the same by another method."""
    return replace(request, method=chance.choice(METHODS))


MUTATIONS: Sequence[Mutation] = (
    *(with_nasty_value, with_nasty_value, with_nasty_value, with_nasty_body, with_damaged_body, with_large_body),
    *(with_nasty_header, with_nasty_header, with_damaged_header, with_damaged_header, without_a_header),
    *(with_nasty_path, with_nasty_path, with_damaged_path, in_another_form, by_another_method),
)


def _damaged(text: bytes, chance: Random, alphabet: bytes) -> bytes:
    damaged = bytearray(text)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(damaged) + 1)
        match chance.randrange(4):
            case 0:
                damaged[at : at + 1] = bytes((chance.choice(alphabet),))
            case 1:
                damaged[at:at] = bytes((chance.choice(alphabet),))
            case 2:
                del damaged[at : at + chance.randrange(1, 9)]
            case _:
                damaged[at:at] = damaged[at : at + chance.randrange(1, 40)]
    return bytes(damaged)
