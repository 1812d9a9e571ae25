"""What nginx, with the configuration that we give it, does before two servers."""

import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import httpx
import msgspec
import pytest

from scripts.services import Nginx
from stagedoor.http.problems import TOO_LARGE, UNAVAILABLE
from tests.engines.upstreams import Upstream, upstreams

PATIENCE_SECONDS = 60.0


class OtherNginx(Nginx):
    """Has one line of its configuration otherwise."""

    line: ClassVar[tuple[str, str]]

    def prepare(self) -> None:
        super().prepare()
        path = self.folder / "nginx.conf"
        written = path.read_text(encoding="utf-8")
        assert written.count(self.line[0]) == 1
        path.write_text(written.replace(*self.line), encoding="utf-8")


class RepeatingNginx(OtherNginx):
    line = ("proxy_next_upstream error timeout;", "proxy_next_upstream error timeout non_idempotent;")


class NarrowNginx(OtherNginx):
    line = ("limit_conn of_address 2000;", "limit_conn of_address 3;")


@pytest.fixture
def servers() -> Iterator[list[Upstream]]:
    with upstreams("first", "second") as servers:
        yield servers


@pytest.fixture
def nginx(servers: list[Upstream]) -> Iterator[Nginx]:
    with Nginx(*(server.port for server in servers)) as nginx:
        yield nginx


@pytest.fixture
def client(nginx: Nginx) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=nginx.url, timeout=PATIENCE_SECONDS) as client:
        yield client


def test_nginx_itself_finds_nothing_wrong(nginx: Nginx) -> None:
    tested = subprocess.run([*nginx.command(), "-t"], capture_output=True, text=True, check=False)  # noqa: S603 -- nginx

    assert "test is successful" in tested.stderr
    assert "[warn]" not in tested.stderr


def test_who_has_less_to_do_is_asked(client: httpx.Client, servers: list[Upstream]) -> None:
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(client.get, "/waits")
        while not any(server.requests.count("GET /waits") for server in servers):
            time.sleep(0.01)
        busy, free = sorted(servers, key=lambda server: "GET /waits" not in server.requests)

        answers = {client.get("/").text for _ in range(10)}

        busy.go_on.set()
        assert waiting.result().text == busy.name
    assert answers == {free.name}


def test_connections_to_the_servers_are_used_again(client: httpx.Client, servers: list[Upstream]) -> None:
    for _ in range(50):
        client.post("/", json={})

    assert sum(len(server.requests) for server in servers) == 50
    assert sum(server.connections for server in servers) < 20


def test_a_post_that_was_sent_is_never_sent_again(client: httpx.Client, servers: list[Upstream]) -> None:
    assert client.post("/dies", json={}).status_code == 503

    assert sum(server.requests.count("POST /dies") for server in servers) == 1


def test_it_would_be_sent_again_if_nginx_were_told_so(servers: list[Upstream]) -> None:
    with RepeatingNginx(*(server.port for server in servers)) as nginx:
        httpx.post(f"{nginx.url}/dies", json={}, timeout=PATIENCE_SECONDS)

    assert [server.requests.count("POST /dies") for server in servers] == [1, 1]


def test_what_may_be_repeated_is_asked_of_the_other_server(client: httpx.Client, servers: list[Upstream]) -> None:
    assert client.get("/dies").status_code == 503

    assert [server.requests.count("GET /dies") for server in servers] == [1, 1]


def test_a_post_to_a_server_that_is_gone_goes_to_the_other(client: httpx.Client, servers: list[Upstream]) -> None:
    servers[0].close()

    answers = {client.post("/", json={}).text for _ in range(10)}

    assert answers == {"second"}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_nginx_refuses_is_said_as_the_api_says_it(
    client: httpx.Client, servers: list[Upstream], language: str
) -> None:
    headers = {"Accept-Language": {"en": "de, en", "ko": "ko-KR,ko;q=0.9,en;q=0.8"}[language]}
    refusals = {"ko": (TOO_LARGE.ko, UNAVAILABLE.ko), "en": (TOO_LARGE.en, UNAVAILABLE.en)}
    too_large = client.post("/", content=b"x" * 20_000, headers=headers)
    for server in servers:
        server.close()
    unavailable = client.post("/", headers=headers)

    assert (too_large.status_code, unavailable.status_code) == (413, 503)
    assert unavailable.headers["retry-after"] == "2"
    for answer, message in zip((too_large, unavailable), refusals[language], strict=True):
        told = msgspec.json.decode(answer.content)
        assert (told["resultType"], told["data"]) == ("FAIL", {})
        assert told["exception"]["code"] == str(answer.status_code)
        assert told["exception"]["message"] == message
        assert answer.headers["content-language"] == language
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/metrics", "/ops/api/breakers"])
def test_what_is_for_operators_does_not_pass(client: httpx.Client, servers: list[Upstream], path: str) -> None:
    assert client.get(path).status_code == 404
    assert not any(f"GET {path}" in server.requests for server in servers)


def test_slow_clients_are_cut_off_and_reach_no_server(nginx: Nginx, servers: list[Upstream]) -> None:
    head, body = b"GET /slow HTTP/1.1\r\nHost: x\r\n", b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"

    with ThreadPoolExecutor() as threads:
        seconds = list(threads.map(lambda sent: seconds_until_cut_off(nginx.port, sent), (head, body)))

    assert seconds[0] >= 9.5
    assert seconds[1] >= 14.5
    assert not any("slow" in request for server in servers for request in server.requests)


def seconds_until_cut_off(port: int, sent: bytes) -> float:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        connection.sendall(sent)
        began = time.monotonic()
        try:
            while connection.recv(1000):
                pass
        except ConnectionResetError:
            pass
        return time.monotonic() - began


def test_so_many_connections_of_an_address_and_no_more(servers: list[Upstream]) -> None:
    with NarrowNginx(*(server.port for server in servers)) as nginx, ThreadPoolExecutor() as threads:
        waiting = [threads.submit(httpx.get, f"{nginx.url}/waits", timeout=PATIENCE_SECONDS) for _ in range(3)]
        while sum(server.requests.count("GET /waits") for server in servers) < 3:
            time.sleep(0.01)

        refused = httpx.get(f"{nginx.url}/", timeout=PATIENCE_SECONDS)

        for server in servers:
            server.go_on.set()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert [answer.result().status_code for answer in waiting] == [200] * 3
