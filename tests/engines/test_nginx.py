"""What nginx, with the configuration that we give it, does before two servers."""

import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from http.client import HTTPResponse
from statistics import median
from typing import ClassVar

import httpx
import msgspec
import pytest

from scripts.services import Nginx
from stagedoor.http.language import Language
from stagedoor.http.problems import NO_METHOD, NO_PATH, TOO_LARGE, UNAVAILABLE, UNREADABLE
from tests.engines.upstreams import Upstream, upstreams

PATIENCE_SECONDS = 60.0
SYN_AGAIN_SECONDS = 0.9


class OtherNginx(Nginx):
    """Has something in its configuration otherwise."""

    file: ClassVar[str] = "nginx.conf"
    line: ClassVar[tuple[str, str]]

    def prepare(self) -> None:
        super().prepare()
        path = self.folder / self.file
        written = path.read_text(encoding="utf-8")
        assert self.line[0] in written
        path.write_text(written.replace(*self.line), encoding="utf-8")


class RepeatingNginx(OtherNginx):
    line = ("proxy_next_upstream error timeout;", "proxy_next_upstream error timeout non_idempotent;")


class NarrowNginx(OtherNginx):
    line = ("limit_conn of_address 2000;", "limit_conn of_address 3;")


class MarkingNginx(OtherNginx):
    file = "servers.conf"
    line = ("max_fails=0", "fail_timeout=1s")


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


def test_a_post_to_a_server_that_says_nothing_goes_to_the_other_soon(
    client: httpx.Client, servers: list[Upstream]
) -> None:
    servers[0].fall_silent()

    answers = [client.post("/", json={}) for _ in range(9)]

    assert {answer.text for answer in answers} == {"second"}
    # Every second one was for the silent server; a system asks again after a second, and that is not waited for.
    assert median(answer.elapsed.total_seconds() for answer in answers[1:]) < SYN_AGAIN_SECONDS


def test_who_is_there_is_found_however_many_are_gone() -> None:
    with upstreams(*"abcde") as servers, Nginx(*(server.port for server in servers)) as nginx:
        for server in servers[:-1]:
            server.close()

        answers = {httpx.post(nginx.url, json={}, timeout=PATIENCE_SECONDS).text for _ in range(10)}

    assert answers == {"e"}


def test_who_has_come_back_is_asked_at_once(nginx: Nginx, servers: list[Upstream]) -> None:
    assert answered_while_one_after_the_other_was_gone(nginx, servers) == (200, "first")


def test_it_would_be_left_out_if_its_failures_counted(servers: list[Upstream]) -> None:
    with MarkingNginx(*(server.port for server in servers)) as nginx:
        status, _ = answered_while_one_after_the_other_was_gone(nginx, servers)

    assert status == 503


def answered_while_one_after_the_other_was_gone(nginx: Nginx, servers: list[Upstream]) -> tuple[int, str]:
    """Return what a call is answered when the first server is just back from a restart, and the second one in it."""
    first, second = servers
    first.close()
    with httpx.Client(base_url=nginx.url, timeout=PATIENCE_SECONDS) as client:
        assert [client.get("/").text for _ in range(4)] == ["second"] * 4
        first.listen()
        second.close()
        answer = client.get("/")
    return answer.status_code, answer.text


REFUSED = {
    "a head that is too large": (UNREADABLE, b"GET / HTTP/1.1\r\n%sHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n"),
    "no host": (UNREADABLE, b"GET / HTTP/1.1\r\n%s\r\n"),
    "an encoding unheard of": (UNREADABLE, b"POST / HTTP/1.1\r\n%sHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"),
    "for operators": (NO_PATH, b"GET /metrics HTTP/1.1\r\n%sHost: x\r\n\r\n"),
    "a call of operators": (NO_PATH, b"POST /ops/api/breakers HTTP/1.1\r\n%sHost: x\r\nContent-Length: 0\r\n\r\n"),
    "the path of refusals": (NO_PATH, b"GET /refused HTTP/1.1\r\n%sHost: x\r\n\r\n"),
    "an odd method": (NO_METHOD, b"TRACE / HTTP/1.1\r\n%sHost: x\r\n\r\n"),
    "a body that is too large": (TOO_LARGE, b"POST / HTTP/1.1\r\n%sHost: x\r\nContent-Length: 20000\r\n\r\n"),
    "a server that died": (UNAVAILABLE, b"POST /dies HTTP/1.1\r\n%sHost: x\r\nContent-Length: 0\r\n\r\n"),
}
CANNOT_BE_MADE_OUT = {
    "no HTTP": b"no first line of HTTP\r\n\r\n",
    "no path": b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    "another version": b"GET / HTTP/3.7\r\nHost: x\r\n\r\n",
    "a path that is too long": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}
LANGUAGES = {"en": b"de, en", "ko": b"ko-KR,ko;q=0.9,en;q=0.8"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("what", REFUSED)
def test_what_nginx_refuses_is_said_as_the_api_says_it(nginx: Nginx, what: str, language: Language) -> None:
    refusal, request = REFUSED[what]

    status, headers, told = answer_to(nginx, request % (b"Accept-Language: %s\r\n" % LANGUAGES[language]))

    assert (status, told) == (refusal.status, (refusal.code, refusal.sentence(language)))
    assert (headers["content-type"], headers["content-language"]) == ("application/json", language)
    assert headers["retry-after"] == ("2" if refusal is UNAVAILABLE else None)


@pytest.mark.parametrize("what", CANNOT_BE_MADE_OUT)
def test_what_nginx_cannot_make_out_is_refused_in_english(nginx: Nginx, what: str) -> None:
    status, headers, told = answer_to(nginx, CANNOT_BE_MADE_OUT[what])

    assert (status, told) == (UNREADABLE.status, (UNREADABLE.code, UNREADABLE.en))
    assert (headers["content-type"], headers["content-language"]) == ("application/json", "en")


def answer_to(nginx: Nginx, sent: bytes) -> tuple[int, Message, tuple[str, str]]:
    """Send a request, whole or not, and return status and headers of the refusal, and its code and message."""
    with socket.create_connection(("127.0.0.1", nginx.port), PATIENCE_SECONDS) as connection:
        connection.sendall(sent)
        answer = HTTPResponse(connection)
        answer.begin()
        told = msgspec.json.decode(answer.read())
    assert (told["resultType"], told["data"]) == ("FAIL", {})
    return answer.status, answer.msg, (told["exception"]["code"], told["exception"]["message"])


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "/metrics//", "/ops", "/ops/api/breakers", "/%6fps/api", "/ops?x"]
)
def test_what_is_for_operators_does_not_pass(client: httpx.Client, servers: list[Upstream], path: str) -> None:
    assert client.get(path).status_code == 404
    assert not any(server.requests for server in servers)


@pytest.mark.parametrize("path", ["/opsomething", "/metrics.html", "/v1/api/ops"])
def test_what_only_begins_like_it_does(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


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
