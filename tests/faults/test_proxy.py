"""The proxy spoils what it is told to spoil, and nothing else."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults.proxy import Proxy
from tests.faults.toxics import DOWN, UP, Bandwidth, Down, Latency, ResetPeer, Slicer, Stream, Timeout

PATIENCE_SECONDS = 60
STREAMS = pytest.mark.parametrize("stream", [UP, DOWN])


class Echo(socketserver.BaseRequestHandler):
    """Sends back whatever comes."""

    def handle(self) -> None:
        try:
            while data := self.request.recv(65_536):
                self.request.sendall(data)
        except ConnectionError:
            pass


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 100
    daemon_threads = False


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Server(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with Proxy(server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()
        thread.join()


def connect(proxy: Proxy) -> "closing[socket.socket]":
    return closing(socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS))


def say(client: socket.socket, data: bytes) -> bytes:
    """Send *data*, and return as many bytes of echo, or fewer if the connection ends."""
    client.sendall(data)
    return hear(client, len(data))


def hear(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := client.recv(size - len(data))):
        data += more
    return data


def hears_nothing(client: socket.socket) -> bool:
    """Tell whether nothing comes for a moment: a slow machine can only make it true, never false."""
    client.settimeout(0.2)
    try:
        return not client.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_SECONDS)


def test_it_hands_on_all_and_the_end(proxy: Proxy) -> None:
    much = bytes(range(256)) * 8_000
    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(much,))
        sender.start()
        assert hear(client, len(much)) == much
        sender.join()
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""

    assert proxy.accepted == 1
    assert proxy.bytes_passed == {UP: len(much), DOWN: len(much)}


@STREAMS
def test_latency_delays_and_keeps_the_order(proxy: Proxy, stream: Stream) -> None:
    with connect(proxy) as client, proxy.toxic(Latency(300, jitter_ms=100, stream=stream)):
        began = time.monotonic()

        assert say(client, b"one") == b"one"

        assert time.monotonic() - began >= 0.2
        assert say(client, b"two") == b"two"


def test_latency_is_of_the_way_and_not_of_each_piece_after_the_other(proxy: Proxy) -> None:
    with connect(proxy) as client, proxy.toxic(Latency(10_000)) as latency:
        for _ in range(20):
            client.sendall(b"x")
        assert hears_nothing(client)
        proxy.remove(latency)
        assert hear(client, 20) == b"x" * 20


@STREAMS
def test_a_timeout_says_nothing_until_it_is_taken_away(proxy: Proxy, stream: Stream) -> None:
    with connect(proxy) as client:
        with proxy.toxic(Timeout(stream=stream)):
            client.sendall(b"held")
            assert hears_nothing(client)
        assert hear(client, 4) == b"held"
        assert say(client, b"on") == b"on"


def test_a_timeout_of_a_length_ends_in_a_reset(proxy: Proxy) -> None:
    with connect(proxy) as client, proxy.toxic(Timeout(50)), pytest.raises(ConnectionResetError):
        say(client, b"never")
    assert proxy.bytes_passed[DOWN] == 0


@STREAMS
def test_a_reset_in_the_middle_lets_so_many_bytes_through(proxy: Proxy, stream: Stream) -> None:
    with connect(proxy) as client, proxy.toxic(ResetPeer(5, stream=stream)):
        assert say(client, b"abc") == b"abc"
        with pytest.raises(ConnectionResetError):
            say(client, b"defgh")
    assert proxy.bytes_passed[stream] == 5


def test_a_slow_drip_brings_all_in_the_end(proxy: Proxy) -> None:
    with connect(proxy) as client, proxy.toxic(Slicer(2, delay_ms=50)):
        began = time.monotonic()

        assert say(client, b"0123456789") == b"0123456789"

        assert time.monotonic() - began >= 4 * 0.05


def test_a_narrow_way_takes_its_time(proxy: Proxy) -> None:
    with connect(proxy) as client, proxy.toxic(Bandwidth(10_000)):
        began = time.monotonic()

        assert say(client, b"x" * 3_000) == b"x" * 3_000

        assert time.monotonic() - began >= 0.3


def test_what_is_down_refuses_and_comes_back_on_its_port(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert say(client, b"up") == b"up"

        proxy.down()
        proxy.down()

        with pytest.raises(ConnectionResetError):
            hear(client, 1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS)
    proxy.up()
    proxy.up()
    with connect(proxy) as client:
        assert say(client, b"again") == b"again"


def test_only_some_pieces_are_spoilt(proxy: Proxy) -> None:
    toxic = ResetPeer(only=lambda piece: piece.data.startswith(b"bad"))
    with connect(proxy) as client, proxy.toxic(toxic):
        assert say(client, b"good") == b"good"
        with pytest.raises(ConnectionResetError):
            say(client, b"bad")


@pytest.mark.parametrize("after", [False, True])
def test_a_piece_can_be_the_last_one_before_all_is_down(proxy: Proxy, *, after: bool) -> None:
    with connect(proxy) as client, connect(proxy) as other:
        assert say(client, b"one") == b"one"
        assert say(other, b"two") == b"two"
        with proxy.toxic(Down(after=after)):
            client.sendall(b"end")
            if after:
                assert hear(client, 3) == b"end"
            with pytest.raises(ConnectionResetError):
                hear(client, 1)
            with pytest.raises(ConnectionResetError):
                hear(other, 1)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS)
    proxy.up()
    with connect(proxy) as client:
        assert say(client, b"again") == b"again"


def test_half_of_the_connections_are_bad(proxy: Proxy) -> None:
    with proxy.toxic(ResetPeer(toxicity=0.5)):
        outcomes = []
        for _ in range(8):
            with connect(proxy) as client:
                try:
                    outcomes.append(say(client, b"?"))
                except ConnectionResetError:
                    outcomes.append(b"reset")

    assert outcomes == [b"?", b"reset"] * 4


def test_a_connection_stays_as_good_as_it_was_found(proxy: Proxy) -> None:
    with proxy.toxic(ResetPeer(2, toxicity=0.5)), connect(proxy) as good, connect(proxy) as bad:
        assert say(good, b"1") == b"1"
        assert say(bad, b"1") == b"1"

        assert say(good, b"23") == b"23"
        with pytest.raises(ConnectionResetError):
            say(bad, b"23")


def test_faults_add_up(proxy: Proxy) -> None:
    with connect(proxy) as client, proxy.toxic(Latency(100)), proxy.toxic(ResetPeer(1)):
        began = time.monotonic()
        client.sendall(b"xyz")
        assert hear(client, 1) == b"x"
        with pytest.raises(ConnectionResetError):
            hear(client, 1)
        assert time.monotonic() - began >= 0.1


def test_a_server_that_is_gone_resets() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with (
            Proxy(unused.getsockname()[1]) as proxy,
            pytest.raises(ConnectionResetError),  # while it hears, or as early as while it connects
            connect(proxy) as client,
        ):
            hear(client, 1)


def test_it_can_be_ended_in_the_middle_of_everything(proxy: Proxy) -> None:
    clients = [socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS) for _ in range(10)]
    proxy.add(Timeout(stream=UP))
    for client in clients:
        client.sendall(b"x" * 100_000)

    proxy.down()

    assert proxy.open == 0
    for client in clients:
        client.close()
