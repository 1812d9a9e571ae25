"""Whatever is read in one look, the parser reads in the same way; and what most clients send is read in one look."""

import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stagedoor.http.plain_request import Fields, read_plain

FIELDS_MAX = 100

CURL = b"POST /v1/api/queue/token/check HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent: curl/8.5\r\nAccept: */*\r\n\r\n"
BROWSER = (
    b"POST /v1/api/concerts/reserve?a=1 HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive\r\nContent-Length: 27\r\n"
    b'sec-ch-ua: "Chromium";v="156"\r\nAuthorization: Bearer eyJ.eyJ.x_-\r\nContent-Type: application/json\r\n'
    b'Accept-Language: ko-KR,ko;q=0.9\r\n\r\n{"scheduleId":1,"seatId":1}'
)


class Parsed:
    """What the parser tells of the requests in some bytes."""

    def __init__(self, data: bytes) -> None:
        self.url, self.body, self.whole = b"", b"", 0
        self.fields: Fields = []
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole += 1


def agree(data: bytes) -> bool:
    """Hold the two against each other; return whether *data* is read in one look."""
    plain = read_plain(data, fields_max=FIELDS_MAX)
    if plain is None:
        return False
    method, path, query, fields, body = plain
    parsed = Parsed(data)
    assert parsed.whole == 1
    assert parsed.parser.get_method() == method
    assert parsed.parser.get_http_version() == "1.1"
    assert parsed.parser.should_keep_alive()
    assert not parsed.parser.should_upgrade()
    assert parsed.url.partition(b"?")[::2] == (path, query)
    assert (parsed.fields, parsed.body) == (fields, body)
    return True


@pytest.mark.parametrize("data", [CURL, BROWSER])
def test_what_clients_send_is_read_in_one_look(data: bytes) -> None:
    assert agree(data)


NAMES = st.sampled_from(
    [
        b"Host",
        b"host",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Connection",
        b"Upgrade",
        b"Expect",
        b"X-A",
        b"X A",
        b"Authorization",
        b"Proxy-Connection",
        b"Trailer",
        b"TE",
        b"",
        b"X\x00",
        b"X-\xe9",
        b"Cookie",
        b" Folded",
    ]
)
VALUES = st.sampled_from(
    [
        b"a",
        b"0",
        b"3",
        b"03",
        b"+3",
        b"3, 3",
        b"chunked",
        b"close",
        b"Keep-Alive",
        b"keep-alive, upgrade",
        b"h2c",
        b"",
        b" a",
        b"a ",
        b"\ta",
        b"a\tb",
        b"a\x00b",
        b"a\rb",
        b"a\nb",
        b"a\xe9",
        b"100-continue",
        b"99999",
        b"1" * 30,
    ]
)
FIELD = st.tuples(NAMES, st.sampled_from([b": ", b":", b":  ", b" : ", b" "]), VALUES).map(b"".join)
LINES = st.sampled_from(
    [
        b"POST /v1 HTTP/1.1",
        b"GET /v1?a=1 HTTP/1.1",
        b"GET /?a?b HTTP/1.1",
        b"POST /v1 HTTP/1.0",
        b"POST  /v1 HTTP/1.1",
        b"GET http://a/v1 HTTP/1.1",
        b"GET /v1#x HTTP/1.1",
        b"get /v1 HTTP/1.1",
        b"CONNECT a:1 HTTP/1.1",
        b"POST /v1",
        b"GET /%00 HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"POST /v1 HTTP/1.1 ",
        b" POST /v1 HTTP/1.1",
    ]
)
REQUESTS = st.builds(
    lambda line, fields, end, body: b"\r\n".join([line, *fields]) + end + body,
    LINES,
    st.lists(FIELD, max_size=5).flatmap(lambda fields: st.permutations([b"Host: a", *fields])),
    st.sampled_from([b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\r\n", b"\r\n \r\n\r\n", b"\r\n\r\n\r\n"]),
    st.sampled_from([b"", b"abc", b"abcd", b"3\r\nabc\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]),
)


@settings(max_examples=2_000)
@given(REQUESTS)
@example(b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc")
@example(b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n")
@example(b"POST /v1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
@example(b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc")
def test_what_is_read_in_one_look_the_parser_reads_so_too(data: bytes) -> None:
    agree(data)


@settings(max_examples=2_000)
@given(st.sampled_from([CURL, BROWSER]), st.data())
def test_so_it_is_after_any_change_of_a_byte(data: bytes, drawn: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(drawn.draw(st.integers(1, 3))):
        at = drawn.draw(st.integers(0, len(changed) - 1))
        match drawn.draw(st.sampled_from(["replace", "insert", "remove"])):
            case "replace":
                changed[at] = drawn.draw(st.integers(0, 255))
            case "insert":
                changed.insert(at, drawn.draw(st.sampled_from(b"\r\n\t \0:,;a0\x7f\xff")))
            case _:
                del changed[at]
    agree(bytes(changed))


def test_one_host_and_no_more_fields_than_allowed() -> None:
    def head(*fields: bytes) -> bytes:
        return b"\r\n".join([b"GET / HTTP/1.1", *fields]) + b"\r\n\r\n"

    assert read_plain(head(b"Host: a"), fields_max=1) is not None
    assert read_plain(head(b"Host: a", b"Host: a"), fields_max=9) is None
    assert read_plain(head(b"X-A: a"), fields_max=9) is None
    assert read_plain(head(b"Host: a", b"X-A: a"), fields_max=1) is None
    assert read_plain(b"GET / HTTP/1.1\r\n\r\n", fields_max=9) is None
