"""What is answered in one round of the loop is sent at its end: in order, first of all, and to nobody who is gone."""

import asyncio
from typing import Any
from unittest import mock

import pytest
import uvicorn
from uvicorn.server import ServerState

from stagedoor.http.hot import HotCalls
from stagedoor.http.protocol import Patience, PatientProtocol, protocol_with
from stagedoor.http.short_way import short_way
from tests.e2e.harness.until import until
from tests.integration.http.stage import Stage, an_admitted_place

RUBBISH = b"\x00 / HTTP/1.1\r\n\r\n"


class Wire:
    """A transport that keeps what is written, on a *log* that several may share."""

    def __init__(self, name: str, log: list[tuple[str, bytes]]) -> None:
        self.name = name
        self.log = log
        self.closed = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 5) if name in {"peername", "sockname"} else default

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.log.append((self.name, data.split(b"\r\n", 1)[0]))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Read no further."""

    def resume_reading(self) -> None:
        """Read on."""


class Server:
    """One server's protocol, with as many connections as a test wants."""

    def __init__(self) -> None:
        stage = Stage()
        stage.door.place = an_admitted_place()
        self.log: list[tuple[str, bytes]] = []
        self.check = (
            b"POST /v1/api/queue/token/check HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n"
            % stage.token(an_admitted_place()).encode()
        )
        self._config = uvicorn.Config(stage.app, interface="asgi3", ws="none", lifespan="off", log_config=None)
        self._config.load()
        self._state = ServerState()
        self._protocol = short_way(protocol_with((), Patience(), lambda _cause: None), HotCalls(stage.app))

    async def answers(self) -> int:
        return sum(words == OK for _, words in self.log)

    def connection(self, name: str) -> tuple[PatientProtocol, Wire]:
        protocol, wire = self._protocol(self._config, self._state, {}), Wire(name, self.log)
        made: Any = wire
        protocol.connection_made(made)
        return protocol, wire


@pytest.fixture
async def server() -> Server:
    return Server()


FITS, MORE = 5, 10
"""So many answers until a client that takes none has to be waited for, and so many that she asks for."""

OK, UNREADABLE = b"HTTP/1.1 200 OK", b"HTTP/1.1 400 Bad Request"


async def test_the_answers_of_a_round_go_out_at_its_end_in_their_order(server: Server) -> None:
    ann, ben = server.connection("ann")[0], server.connection("ben")[0]

    ben.data_received(server.check)
    ann.data_received(server.check)
    before = list(server.log)
    await asyncio.sleep(0)

    assert before == []
    assert server.log == [("ben", OK), ("ann", OK)]


async def test_who_asks_on_before_her_answer_and_takes_none_is_read_no_further(server: Server) -> None:
    ann, wire = server.connection("ann")
    write = wire.write

    def full_after(data: bytes) -> None:
        write(data)
        if len(server.log) == FITS:
            ann.pause_writing()

    with mock.patch.object(wire, "write", full_after):
        ann.data_received(server.check * MORE)
        await asyncio.sleep(0)
        before = await server.answers()
        ann.resume_writing()
        await until(server.answers, lambda sent: sent == MORE)

    # The second of two is written before it can be seen that she takes nothing.
    assert before == FITS + 1


async def test_a_refusal_does_not_overtake_the_answer_before_it(server: Server) -> None:
    ann, _ = server.connection("ann")

    ann.data_received(server.check)
    ann.data_received(RUBBISH)
    await asyncio.sleep(0)

    assert server.log == [("ann", OK), ("ann", UNREADABLE)]


async def test_a_server_that_stops_says_first_what_it_has_answered(server: Server) -> None:
    ann, wire = server.connection("ann")

    ann.data_received(server.check)
    ann.shutdown()

    assert wire.closed
    assert server.log == [("ann", OK)]


async def test_who_says_no_more_after_her_request_has_her_answer(server: Server) -> None:
    ann, _ = server.connection("ann")

    ann.data_received(server.check)
    ann.eof_received()

    assert server.log == [("ann", OK)]


async def test_what_goes_wrong_with_one_answer_ends_with_its_round(server: Server) -> None:
    ann, wire = server.connection("ann")
    ben, _ = server.connection("ben")

    ann.data_received(server.check)
    with mock.patch.object(wire, "write", side_effect=RuntimeError("a bug")), pytest.raises(RuntimeError):
        ann.shutdown()
    ben.data_received(server.check)
    await asyncio.sleep(0)

    assert server.log == [("ben", OK)]


async def test_nobody_is_written_to_who_has_gone_meanwhile(server: Server) -> None:
    ann, wire = server.connection("ann")
    ben, _ = server.connection("ben")

    ann.data_received(server.check)
    ben.data_received(server.check)
    wire.close()
    await asyncio.sleep(0)

    assert server.log == [("ben", OK)]
