"""The listening socket: a free port, a taken one, one this machine does not have, a crowd before the door, its end."""

import asyncio
import os
import socket
import sys
from contextlib import ExitStack
from typing import cast

import pytest
import uvloop
from litestar.types import Receive, Scope, Send

from stagedoor.http.newcomers import turn_newcomers_away
from stagedoor.http.protocol import Patience
from stagedoor.http.server import ACCEPTED_A_ROUND, AddressInUse, HttpServer, base_url, listen
from stagedoor.observability.metrics import Metrics

CROWD = 20 * ACCEPTED_A_ROUND
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
PATIENCE_S = 10
IGNORED_S = 0.2


def test_port_0_is_any_free_one_and_the_url_says_which() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]

        assert base_url(listener) == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


class Ipv6Listener:
    """Listens on an address that not every machine has, and containers seldom do."""

    family = socket.AF_INET6

    def getsockname(self) -> tuple[str, int, int, int]:
        return "::1", 8_080, 0, 0


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert base_url(cast("socket.socket", Ipv6Listener())) == "http://[::1]:8080"


def test_a_taken_port_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(AddressInUse, match=f"127.0.0.1:{port}"):
            listen("127.0.0.1", port)


def test_a_foreign_address_is_the_machines_own_error() -> None:
    with pytest.raises(OSError, match="assign"):
        listen("192.0.2.1", 0)


def test_a_worker_that_starts_never_has_the_others_wait_in_accept() -> None:
    with listen("127.0.0.1", 0) as shared, shared.dup() as started:
        assert not os.get_blocking(shared.fileno())
        assert not os.get_blocking(started.fileno())


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Answer nobody."""


async def rounds_until_all_are_in(listener: socket.socket) -> int:
    """Serve, and count the rounds of the loop until everybody who has connected is let in."""
    metrics, ready = Metrics(), asyncio.Event()
    server = HttpServer(nothing, listener, ready=ready.set, patience=Patience(stop_s=0), metrics=metrics)
    serving = asyncio.create_task(server.serve())
    await ready.wait()
    rounds = 0
    while metrics.registry.get_sample_value("stagedoor_connections") != CROWD:
        await asyncio.sleep(0)
        rounds += 1
        assert rounds <= CROWD
    server.stop()
    await serving
    return rounds


def test_a_crowd_before_the_door_is_let_in_many_at_a_time() -> None:
    with ExitStack() as clients, listen("127.0.0.1", 0) as listener:
        for _ in range(CROWD):
            clients.enter_context(socket.create_connection(listener.getsockname()))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            rounds = runner.run(rounds_until_all_are_in(listener))

    assert rounds <= 2 * CROWD / ACCEPTED_A_ROUND


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel cannot be told")
def test_who_was_agreed_to_is_let_in_and_nobody_after_her() -> None:
    with listen("127.0.0.1", 0) as listener, socket.socket() as newcomer:
        # The kernel agrees, and waits for what she sends before it calls that a connection.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, PATIENCE_S)
        listener.settimeout(PATIENCE_S)
        with socket.create_connection(listener.getsockname()) as client:
            turn_newcomers_away(listener)

            client.sendall(REQUEST)
            with listener.accept()[0] as accepted:
                assert accepted.recv(len(REQUEST)) == REQUEST

        newcomer.settimeout(IGNORED_S)
        with pytest.raises(TimeoutError):
            newcomer.connect(listener.getsockname())
