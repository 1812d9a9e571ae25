"""What no app ever sees: bytes that are no HTTP, heads without end, requests that could be read in two ways."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from stagedoor.http.protocol import HEAD_BYTES_MAX, HEAD_FIELDS_MAX, PIPELINED_MAX
from tests.integration.http.served import Served, everything, served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def one_server() -> AsyncIterator[Served]:
    async with served() as server:
        yield server


@pytest.fixture
def server(one_server: Served) -> Served:
    one_server.asked.clear()
    return one_server


@pytest.mark.parametrize(
    "request_",
    [
        b"FOO /v1/api/queue/token HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x: y\r\n" * HEAD_FIELDS_MAX + b"\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_the_envelope(server: Served, request_: bytes) -> None:
    answers = await everything(server.port, request_)

    head, body = answers.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"stagedoor-identity: demo" in head
    assert b"connection: close" in head
    assert json.loads(body)["exception"]["code"] == "400"


async def test_a_head_without_end_is_refused(server: Served) -> None:
    line = b"x-more: " + b"y" * 1_000 + b"\r\n"
    pieces = [b"GET / HTTP/1.1\r\nHost: x\r\n", *[line] * (2 * HEAD_BYTES_MAX // len(line))]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with_reset = False
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            # Each piece is read by itself: what arrives at once counts as one.
            await asyncio.sleep(0)
        answer = await reader.read()
    except ConnectionError:
        with_reset, answer = True, b""
    finally:
        writer.close()

    assert with_reset or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_head_of_ordinary_length_is_not(server: Served) -> None:
    more = b"x-more: " + b"y" * 8_000 + b"\r\nConnection: close\r\n"
    answers = await everything(server.port, b"GET / HTTP/1.1\r\nHost: x\r\n" + more, b"\r\n")

    assert answers.startswith(b"HTTP/1.1 200 ")


UPGRADES = [
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n",
    b"Upgrade: TLS/1.0\r\nUpgrade: h2c\r\nConnection: upgrade\r\n",
]
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"


CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)


@pytest.mark.parametrize("together", ["at once", "in pieces"])
@pytest.mark.parametrize(
    ("framing", "body"), [(b"Content-Length: %d" % len(HIDDEN), HIDDEN), (b"Transfer-Encoding: chunked", CHUNKS)]
)
@pytest.mark.parametrize("upgrade", UPGRADES)
async def test_an_upgrade_is_declined_and_hides_no_request_in_its_body(
    server: Served, upgrade: bytes, framing: bytes, body: bytes, together: str
) -> None:
    first = b"POST /first HTTP/1.1\r\nHost: x\r\n" + upgrade + framing + b"\r\n\r\n"
    last = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    pieces = [first + body + last] if together == "at once" else [first, body, last]
    answers = await everything(server.port, *pieces, apart=True)

    assert server.asked == [("/first", HIDDEN), ("/last", b"")]
    assert answers.count(b"HTTP/1.1 200 ") == answers.count(b"HTTP/1.1 ") == 2


async def test_a_row_of_upgrades_is_answered_one_by_one(server: Served) -> None:
    one = b"GET /first HTTP/1.1\r\nHost: x\r\n" + UPGRADES[0] + b"\r\n"
    last = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = await everything(server.port, one * 20 + last)

    assert answers.count(b"HTTP/1.1 200 ") == len(server.asked) == 21


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nconnection: Close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, TE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: TE\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    ],
)
async def test_a_client_that_wants_no_more_is_hung_up_on_and_told_so(server: Served, head: bytes) -> None:
    answers = await everything(server.port, head + HIDDEN)

    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answers
    assert server.asked == [("/", b"")]


async def test_a_refusal_does_not_overtake_the_answer_before_it(server: Served) -> None:
    rubbish = b"GET / HTTP/1.1\r\n\r\n"
    answers = await everything(server.port, HIDDEN * 3 + rubbish + HIDDEN)

    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", answers)
    assert statuses == [b"200", b"200", b"200", b"400"]


async def test_a_body_that_breaks_off_takes_no_other_answer_with_it(server: Served) -> None:
    broken = b"POST /broken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n"
    answers = await everything(server.port, HIDDEN + broken)

    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", answers)
    assert statuses == [b"200", b"400"]


async def test_fields_behind_a_body_are_no_headers(server: Served) -> None:
    body = b"2\r\n{}\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answers = await everything(server.port, head + body)

    assert answers.startswith(b"HTTP/1.1 200 ")
    assert [name for name, _ in server.headers] == [b"host", b"transfer-encoding", b"connection"]


async def test_white_space_around_a_value_is_no_part_of_it(server: Served) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nIdempotency-Key:\t a b \t\r\nX-None: \r\nConnection: close \r\n\r\n"
    answers = await everything(server.port, head)

    assert answers.startswith(b"HTTP/1.1 200 ")
    assert [value for _, value in server.headers] == [b"x", b"a b", b"", b"close"]


async def test_who_waits_to_be_told_to_go_on_is_told_so_whatever_is_behind_the_word(server: Served) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue \t\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    answers = await everything(server.port, head, b"{}")

    assert re.findall(rb"HTTP/1\.1 (\d+) ", answers) == [b"100", b"200"]


async def test_of_a_long_row_of_requests_the_first_are_answered(server: Served) -> None:
    answers = await everything(server.port, HIDDEN * 1_000)

    # One under way, and those behind it.
    assert answers.count(b"HTTP/1.1 200 ") == len(server.asked) == PIPELINED_MAX + 1
    assert answers.count(b"connection: close") == 1


async def test_a_refusal_of_head_has_no_body(server: Served) -> None:
    answers = await everything(server.port, b"HEAD / HTTP/1.1\r\n\r\n")

    assert answers.startswith(b"HTTP/1.1 400 ")
    assert answers.endswith(b"\r\n\r\n")
