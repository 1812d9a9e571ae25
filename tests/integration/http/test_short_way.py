"""A hot call answers with the same bytes on the short way and on the long one."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from litestar import Litestar
from typing_extensions import override

from stagedoor.checkout.outcomes import Settled
from stagedoor.http.answer import Answer
from stagedoor.http.call import Call
from stagedoor.http.hot import HotCall, HotCalls
from stagedoor.http.listings import PROGRAMME_GOOD_MS
from stagedoor.http.protocol import HEAD_BYTES_MAX
from stagedoor.http.rejections import Unreadable
from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.rejections import PlaceIsOver, StillWaiting, UnknownPlace
from tests.integration.http.served import DEADLINE_S, served
from tests.integration.http.stage import Stage, a_place, an_admitted_place
from tests.integration.http.test_concert_calls import HOLD, held, paid
from tests.integration.http.test_user_calls import charged

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASE = b"/v1/api"
CHANGES = re.compile(rb"date: [^\r]*\r\n|x-request-id: [^\r]*\r\n|\"requestId\":\"[^\"]*\"")


class Noted(HotCalls):
    """Remembers which requests went the short way, and which of them were answered at once."""

    def __init__(self, app: Litestar) -> None:
        super().__init__(app)
        self.at_once_taken: list[str] = []
        self.awaited: list[str] = []

    @override
    def at_once(self, row: HotCall, call: Call) -> tuple[Answer[Any], bytes] | None:
        told = super().at_once(row, call)
        if told is not None:
            self.at_once_taken.append(row.path)
        return told

    @override
    async def answer(self, row: HotCall, call: Call, body: bytes) -> tuple[Answer[Any], bytes]:
        self.awaited.append(row.path)
        return await super().answer(row, call, body)


@dataclass
class Ways:
    """The same stage twice: one server with a short way, one without."""

    short: Stage
    long: Stage
    noted: Noted
    ports: tuple[int, int]

    def both(self, prepare: Callable[[Stage], object]) -> None:
        """Prepare both stages alike."""
        for stage in (self.short, self.long):
            prepare(stage)

    async def answers(self, *pieces: bytes) -> tuple[bytes, bytes]:
        """Send the same bytes to both, and return what they answer but for what always changes."""
        first, second = [CHANGES.sub(b"", await one_answer(port, *pieces)) for port in self.ports]
        return first, second


async def one_answer(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        async with asyncio.timeout(DEADLINE_S):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                for _ in range(20 if len(pieces) > 1 else 0):
                    await asyncio.sleep(0)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            return head + (await reader.readexactly(int(length[1])) if length else b"")
    finally:
        writer.close()


@asynccontextmanager
async def two_ways() -> AsyncIterator[Ways]:
    short, long = Stage(), Stage()
    noted = Noted(short.app)
    async with served(app=short.app, hot=noted) as with_it, served(app=long.app) as without:
        yield Ways(short, long, noted, (with_it.port, without.port))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def two_servers() -> AsyncIterator[Ways]:
    async with two_ways() as both:
        yield both


@pytest.fixture
def ways(two_servers: Ways) -> Ways:
    """Both servers as they were at first: what a test puts on their stages is in these attributes and nowhere else."""
    two_servers.noted.at_once_taken.clear()
    two_servers.noted.awaited.clear()
    two_servers.both(as_at_first)
    return two_servers


def as_at_first(stage: Stage) -> None:
    stage.door.refusal = None
    stage.door.place = an_admitted_place()
    stage.door.undecided.clear()
    stage.door.is_paused = stage.door.is_stale = False
    stage.is_draining = False
    stage.seating.is_out = False
    assert not stage.till.outcomes


def a_request(line: bytes, *fields: bytes, token: str | None = None, body: bytes | None = None) -> bytes:
    head = [line + b" HTTP/1.1", b"Host: x", *fields]
    if token is not None:
        head.append(b"Authorization: " + token.encode())
    if body is not None:
        head += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join(head) + b"\r\n\r\n" + (body or b"")


HERS = Stage().token(an_admitted_place())
JOIN = b"POST " + BASE + b"/queue/token"
CHECK = b"POST " + BASE + b"/queue/token/check"
STATUS = b"GET " + BASE + b"/queue/status"
SCHEDULE = b"GET " + BASE + b"/concerts/schedule"
SEATS = b"GET " + BASE + b"/concerts/seat"
CONCERTS = b"GET " + BASE + b"/concerts"
RESERVE = b"POST " + BASE + b"/concerts/reserve"
PAY = b"POST " + BASE + b"/concerts/payment"
CHARGE = b"POST " + BASE + b"/user/amount"
BALANCE = b"GET " + BASE + b"/user/amount"

DONE: dict[bytes, tuple[bytes, Settled | None]] = {
    JOIN: (a_request(JOIN, body=b'{"userId":7}'), None),
    CHECK: (a_request(CHECK, token=HERS), None),
    STATUS: (a_request(STATUS), None),
    SCHEDULE: (a_request(SCHEDULE, token=HERS), None),
    SEATS: (a_request(SEATS + b"?scheduleId=1", token=HERS), None),
    CONCERTS: (a_request(CONCERTS), None),
    RESERVE: (a_request(RESERVE, token=HERS, body=b'{"scheduleId":1,"seatIds":[11,12]}'), held()),
    PAY: (a_request(PAY, token=HERS, body=b'{"reservationId":%d}' % HOLD), paid()),
    CHARGE: (a_request(CHARGE, token=HERS, body=b'{"amount":50000}'), charged()),
    BALANCE: (a_request(BALANCE, token=HERS), None),
}
"""For every hot call a request that is granted, and what the sale says to it."""


def hot_requests() -> Iterator[Any]:
    for name, request in {
        "check with a body": a_request(CHECK, token=HERS, body=b"{}"),
        "check with what is no JSON": a_request(CHECK, token=HERS, body=b"{"),
        "check with Bearer": a_request(CHECK, token=f"Bearer {HERS}"),
        "check without a token": a_request(CHECK),
        "check with a forged one": a_request(CHECK, token=HERS[:-2] + "AA"),
        "check in Korean": a_request(CHECK, b"Accept-Language: ko"),
        "schedule, all": a_request(SCHEDULE + b"?status=all", token=HERS),
        "schedule, unknown status": a_request(SCHEDULE + b"?status=free", token=HERS),
        "schedule in gzip": a_request(SCHEDULE, b"Accept-Encoding: gzip", token=HERS),
        "schedule known": a_request(SCHEDULE, b"If-None-Match: *", token=HERS),
        "seats, all": a_request(SEATS + b"?scheduleId=1&status=all", token=HERS),
        "seats of nothing": a_request(SEATS, token=HERS),
        "seats of an unknown schedule": a_request(SEATS + b"?scheduleId=99", token=HERS),
        "seats, a query in Latin": a_request(SEATS + b"?scheduleId=%ff", token=HERS),
        "seats known": a_request(SEATS + b"?scheduleId=1", b"If-None-Match: *", token=HERS),
        "join as nobody": a_request(JOIN, body=b"{}"),
        "join with what is no JSON": a_request(JOIN, body=b"{"),
        "join with a text": a_request(JOIN, b"Content-Type: text/plain", body=b"x"),
        "join with nothing": a_request(JOIN),
        "reserve badly": a_request(RESERVE, token=HERS, body=b'{"scheduleId":"1"}'),
        "pay badly": a_request(PAY, token=HERS, body=b'{"reservationId":true}'),
        "charge badly": a_request(CHARGE, token=HERS, body=b'{"amount":-1}'),
    }.items():
        yield pytest.param(request, id=name)


@pytest.mark.parametrize("request_", [*hot_requests()])
async def test_the_answer_is_the_same_byte_for_byte(ways: Ways, request_: bytes) -> None:
    short, long = await ways.answers(request_)
    again = await ways.answers(request_)

    assert short == long
    assert again == (long, long)
    assert len(ways.noted.at_once_taken) + len(ways.noted.awaited) == 2


@pytest.mark.parametrize("line", DONE, ids=bytes.decode)
async def test_what_is_granted_is_told_the_same(ways: Ways, line: bytes) -> None:
    request, outcome = DONE[line]
    if outcome is not None:
        ways.both(lambda stage: stage.till.outcomes.extend([outcome, outcome]))

    short, long = await ways.answers(request)
    again = await ways.answers(request)

    assert short == long
    assert again == (long, long)
    assert short.startswith(b"HTTP/1.1 200 ")
    assert len(ways.noted.at_once_taken) + len(ways.noted.awaited) == 2


async def test_every_hot_call_is_among_those_granted(ways: Ways) -> None:
    assert {tuple(line.split(b" ")) for line in DONE} == set(ways.noted._rows)  # noqa: SLF001 -- the whole table


async def test_polls_and_lists_that_are_known_are_answered_at_once(ways: Ways) -> None:
    token = ways.short.token()
    requests = [
        a_request(b"POST " + BASE + b"/queue/token/check", token=token),
        a_request(b"GET " + BASE + b"/concerts/schedule", token=token),
        a_request(b"GET " + BASE + b"/concerts/seat?scheduleId=1", token=token),
    ]
    for request in requests:
        await ways.answers(request)
    ways.noted.at_once_taken.clear()

    for request in requests:
        await ways.answers(request)

    assert len(ways.noted.at_once_taken) == len(requests)


@pytest.mark.parametrize("path", [b"/concerts/schedule?status=all", b"/concerts/seat?scheduleId=1", b"/concerts"])
async def test_a_list_that_cannot_be_read_is_the_same_stale_copy(ways: Ways, path: bytes) -> None:
    request = a_request(b"GET " + BASE + path, token=ways.short.token())
    fresh, _ = await ways.answers(request)

    def break_it(stage: Stage) -> None:
        stage.seating.is_out = True
        stage.clock.advance(PROGRAMME_GOOD_MS + 2_000)

    ways.both(break_it)
    short, long = await ways.answers(request)

    assert short == long
    assert b"\r\nage: 2\r\n" in short
    assert b'"stale":true' in short
    assert b'"stale":true' not in fresh


@pytest.mark.parametrize("refusal", [StillWaiting(), PlaceIsOver(), UnknownPlace(), Unreadable("room", "missing")])
async def test_refusals_of_the_rules_are_the_same(ways: Ways, refusal: Exception) -> None:
    def refuse(stage: Stage) -> None:
        stage.door.refusal = refusal

    ways.both(refuse)
    for line in (b"POST " + BASE + b"/queue/token/check", b"GET " + BASE + b"/concerts/seat?scheduleId=1"):
        short, long = await ways.answers(a_request(line, token=ways.short.token()))

        assert short == long


async def test_a_bug_of_ours_is_the_same(ways: Ways) -> None:
    def break_it(stage: Stage) -> None:
        stage.door.refusal = ZeroDivisionError("a bug")

    ways.both(break_it)
    for line in (b"POST " + BASE + b"/queue/token/check", b"GET " + BASE + b"/queue/status"):
        short, long = await ways.answers(a_request(line, token=ways.short.token()))

        assert short == long
        assert short.startswith(b"HTTP/1.1 500 ")


async def test_a_waiting_place_and_a_place_of_another_room(ways: Ways) -> None:
    for place in (a_place(), a_place(state=PlaceState.DONE, position=0), a_place(room_id=RoomId("other"))):
        ways.both(lambda stage, place=place: setattr(stage.door, "place", place))  # type: ignore[misc]  # one line
        short, long = await ways.answers(
            a_request(b"POST " + BASE + b"/queue/token/check", token=ways.short.token(place))
        )

        assert short == long


async def test_a_poll_in_an_outage_says_so_on_both_ways(ways: Ways) -> None:
    def break_it(stage: Stage) -> None:
        stage.door.place = a_place()
        stage.door.is_paused = stage.door.is_stale = True

    ways.both(break_it)
    short, long = await ways.answers(
        a_request(b"POST " + BASE + b"/queue/token/check", token=ways.short.token(a_place()))
    )

    assert short == long
    assert b'"admissionPaused":true,"stale":true' in short
    assert ways.noted.at_once_taken == ["/v1/api/queue/token/check"]


async def test_a_place_that_is_being_decided_is_waited_for(ways: Ways) -> None:
    ways.both(lambda stage: stage.door.undecided.add(stage.door.place.ref))

    short, long = await ways.answers(a_request(b"POST " + BASE + b"/queue/token/check", token=ways.short.token()))

    assert short == long
    assert (ways.noted.at_once_taken, ways.noted.awaited) == ([], ["/v1/api/queue/token/check"])


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(a_request(b"HEAD " + BASE + b"/queue/status"), id="HEAD"),
        pytest.param(a_request(b"OPTIONS " + BASE + b"/queue/status"), id="OPTIONS"),
        pytest.param(a_request(b"PUT " + BASE + b"/queue/status"), id="another method"),
        pytest.param(a_request(b"GET " + BASE + b"/queue/status", b"Connection: close"), id="closing"),
        pytest.param(a_request(b"GET " + BASE + b"/queue/%73tatus"), id="an encoded path"),
        pytest.param(a_request(b"GET " + BASE + b"/queue/status/"), id="a slash behind"),
        pytest.param(a_request(b"GET " + BASE + b"/queue/nothing"), id="an unknown path"),
        pytest.param(a_request(b"GET " + BASE + b"/queue/status?room=main#top"), id="a fragment"),
        pytest.param(b"GET " + BASE + b"/queue/status HTTP/1.0\r\n\r\n", id="HTTP/1.0"),
        pytest.param(
            a_request(b"POST " + BASE + b"/queue/token", body=b'{"userId":7' + b" " * 20_000 + b"}"), id="a large body"
        ),
    ],
)
async def test_what_is_unusual_goes_the_long_way(ways: Ways, request_: bytes) -> None:
    if request_.startswith(b"HEAD"):
        request_ = request_.replace(b"Host: x", b"Host: x\r\nConnection: close")
    short, long = [await until_closed_or_whole(port, request_) for port in ways.ports]

    assert short == long
    assert (ways.noted.at_once_taken, ways.noted.awaited) == ([], [])


async def until_closed_or_whole(port: int, request_: bytes) -> bytes:
    if request_.startswith((b"HEAD", b"OPTIONS")):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_)
        async with asyncio.timeout(DEADLINE_S):
            head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return CHANGES.sub(b"", head)
    return CHANGES.sub(b"", await one_answer(port, request_))


@pytest.mark.parametrize("cut", [1, 40, -13, -5])
async def test_a_request_that_comes_in_pieces_is_answered_all_the_same(ways: Ways, cut: int) -> None:
    request = a_request(b"POST " + BASE + b"/queue/token", body=b'{"userId":7}')

    short, long = await ways.answers(request[:cut], request[cut:])

    assert short == long
    assert short.startswith(b"HTTP/1.1 200 ")


async def test_a_body_in_chunks_is_read(ways: Ways) -> None:
    request = a_request(
        b"POST " + BASE + b"/queue/token", b"Transfer-Encoding: chunked", b"Content-Type: application/json"
    )

    short, long = await ways.answers(request + b'c\r\n{"userId":7}\r\n0\r\n\r\n')

    assert short == long
    assert short.startswith(b"HTTP/1.1 200 ")


async def test_fields_behind_a_body_are_no_headers_on_either_way(ways: Ways) -> None:
    head = a_request(b"POST " + BASE + b"/queue/token/check", b"Transfer-Encoding: chunked")
    rest = b"2\r\n{}\r\n0\r\nAuthorization: " + HERS.encode() + b"\r\n\r\n"

    short, long = await ways.answers(head, rest)

    assert short == long
    assert short.startswith(b"HTTP/1.1 401 ")


async def test_requests_sent_at_once_are_answered_in_their_order(ways: Ways) -> None:
    token = ways.short.token()
    check = a_request(b"POST " + BASE + b"/queue/token/check", token=token)
    join = a_request(b"POST " + BASE + b"/queue/token", body=b'{"userId":7}')
    unknown = a_request(b"GET " + BASE + b"/nothing")
    last = a_request(b"GET " + BASE + b"/queue/status", b"Connection: close")

    short, long = [await to_the_end(port, check + join + check + unknown + join + check + last) for port in ways.ports]

    assert short == long
    assert short.count(b"HTTP/1.1 ") == 7


async def to_the_end(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            return CHANGES.sub(b"", await reader.read())
    finally:
        writer.close()


async def test_what_cannot_be_read_behind_an_answer_is_refused(ways: Ways) -> None:
    check = a_request(b"POST " + BASE + b"/queue/token/check", token=ways.short.token())

    short, long = [await to_the_end(port, check + b"\x16\x03\x01") for port in ways.ports]

    assert short == long
    assert re.findall(rb"HTTP/1.1 (\d+)", short) == [b"200", b"400"]


async def test_a_body_that_breaks_off_on_the_short_way_is_refused(ways: Ways) -> None:
    broken = a_request(b"POST " + BASE + b"/queue/token", b"Transfer-Encoding: chunked") + b"zz\r\n"

    short, long = [await to_the_end(port, broken) for port in ways.ports]

    assert short == long
    assert re.findall(rb"HTTP/1.1 (\d+)", short) == [b"400"]


async def test_a_draining_server_says_so_and_closes(ways: Ways) -> None:
    ways.both(lambda stage: setattr(stage, "is_draining", True))
    check = a_request(b"POST " + BASE + b"/queue/token/check", token=ways.short.token())
    join = a_request(b"POST " + BASE + b"/queue/token", body=b'{"userId":7}')

    for request in (check, join):
        short, long = [await to_the_end(port, request) for port in ways.ports]

        assert short == long
        assert b"connection: close\r\n" in short


async def test_what_is_asked_in_one_breath_behind_a_last_answer_is_not_done(ways: Ways) -> None:
    """Nobody would be told of it."""
    ways.both(lambda stage: setattr(stage, "is_draining", True))
    check = a_request(CHECK, token=ways.short.token())
    release = a_request(b"DELETE " + BASE + b"/concerts/reserve/%d" % HOLD, token=HERS)

    before = [len(stage.till.asked) for stage in (ways.short, ways.long)]

    answers = [await to_the_end(port, check + release) for port in ways.ports]
    await asyncio.gather(*(stage.services.under_way.drain() for stage in (ways.short, ways.long)))

    assert [re.findall(rb"HTTP/1.1 (\d+)", each) for each in answers] == [[b"200"]] * 2
    assert [len(stage.till.asked) for stage in (ways.short, ways.long)] == before


async def test_as_many_requests_in_one_breath_as_one_likes_are_answered(ways: Ways) -> None:
    """They arrive in pieces that end in the middle of a head, and only the rest of that one counts as its own."""
    many = 100
    long_head = b"X-Trace: " + b"t" * 3_000
    requests = a_request(SCHEDULE, long_head, token=HERS) * many + a_request(SCHEDULE, b"Connection: close", token=HERS)
    assert len(requests) > 4 * HEAD_BYTES_MAX
    await ways.answers(a_request(SCHEDULE, token=HERS))

    answers = await to_the_end(ways.ports[0], requests)

    assert answers.count(b"HTTP/1.1 200 ") == many + 1
