"""A call of Redis gets what is left of its caller's time until it is sent; then it is waited for. Time is virtual."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Connection
from typing_extensions import override

from stagedoor.adapters.redis.client import CONNECTIONS_MAX, RedisClient, StoreLost
from stagedoor.kernel.errors import CallersDeadlineMissed, DeadlineMissed, Fault, TooLate
from stagedoor.resilience.deadline import Deadline, due
from tests.simulation.virtual_time import VirtualLoop

NEVER = 3_600.0


class Server:
    """A server that takes its time: for connections and for answers."""

    def __init__(self) -> None:
        self.connects_in_s = 0.0
        self.answers_in_s = 0.0
        self.asked: list[object] = []
        self.client = RedisClient("redis://nowhere")
        self.pool = self.client._redis.connection_pool  # noqa: SLF001 -- the bound that is tried is the pool's
        self.pool.connection_class = lambda **said: Way(self, **said)  # type: ignore[assignment]  # it is called

    async def ask(self, what: str = "GET") -> object:
        return await self.client.command(what, server="")


class Way(Connection):
    """A connection to that server, with no socket."""

    def __init__(self, server: Server, **said: Any) -> None:  # noqa: ANN401 -- whatever a pool says
        super().__init__(**said)
        self._server = server

    @override
    async def connect(self) -> None:
        await asyncio.sleep(self._server.connects_in_s)

    @override
    async def disconnect(self, *_: object, **__: object) -> None:
        """Have nothing to let go of."""

    @override
    async def can_read(self, *_: object) -> bool:
        return False

    @override
    async def send_command(self, *command: Any, **_: object) -> None:
        self._server.asked.extend(command)

    @override
    async def read_response(self, *_: object, **__: object) -> str:
        await asyncio.sleep(self._server.answers_in_s)
        return "answered"


Ended = tuple[object, float]
"""What came of a call, its error by its class, and when."""


def ends_of(server: Server, *calls: Callable[[], Awaitable[object]]) -> list[Ended]:
    """Make all *calls* at once, at no time; return how and when each has ended."""

    async def ended(call: Callable[[], Awaitable[object]]) -> Ended:
        try:
            came: object = await call()
        except Fault as fault:
            came = type(fault)
        return came, round(asyncio.get_running_loop().time(), 6)

    async def all_of_them() -> list[Ended]:
        found = await asyncio.gather(*(ended(call) for call in calls))
        assert len(server.pool._in_use_connections) == 0  # noqa: SLF001 -- as above
        return found

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(0.0)) as runner:
        return runner.run(all_of_them())


def by(deadline: Deadline | None, call: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Return *call* of somebody who waits until *deadline*."""

    async def called() -> object:
        with due(deadline):
            return await call()

    return called


@pytest.fixture
def server() -> Server:
    return Server()


def test_what_comes_too_late_is_not_sent(server: Server) -> None:
    assert ends_of(server, by(Deadline(0.0), server.ask)) == [(TooLate, 0.0)]

    assert server.asked == []


@pytest.mark.parametrize(
    ("deadline", "end"),
    [
        pytest.param(Deadline(0.3), (DeadlineMissed, 0.3), id="ours"),
        pytest.param(Deadline(0.3, is_callers=True), (CallersDeadlineMissed, 0.3), id="hers"),
        pytest.param(None, (StoreLost, 2.0), id="control: nobody's"),
    ],
)
def test_nobody_waits_for_a_connection_beyond_her_deadline(
    server: Server, deadline: Deadline | None, end: Ended
) -> None:
    server.connects_in_s = NEVER

    assert ends_of(server, by(deadline, server.ask)) == [end]

    assert server.asked == []


@pytest.mark.parametrize(
    ("deadline", "end"),
    [
        pytest.param(Deadline(0.3), (DeadlineMissed, 0.3), id="ours"),
        pytest.param(None, ("answered", 1.6), id="control: nobody's"),
    ],
)
def test_the_ninth_waits_for_one_of_eight_connections_until_her_deadline(
    server: Server, deadline: Deadline | None, end: Ended
) -> None:
    server.answers_in_s = 0.8

    *eight, ninth = ends_of(server, *[server.ask] * CONNECTIONS_MAX, by(deadline, lambda: server.ask("ECHO")))

    assert eight == [("answered", 0.8)] * 8
    assert ninth == end
    assert server.asked.count("GET") == 8
    assert server.asked.count("ECHO") == (deadline is None)


def test_what_was_sent_is_waited_for_however_late_it_is(server: Server) -> None:
    server.answers_in_s = 0.9

    assert ends_of(server, by(Deadline(0.3), server.ask)) == [("answered", 0.9)]
