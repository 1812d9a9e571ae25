"""Whatever is asked, and however badly, the answer is an envelope and carries the request's id."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog

from stagedoor.checkout.outcomes import Settled
from stagedoor.http.answer import RawHeaders
from stagedoor.http.app import create_app
from stagedoor.kernel.errors import Fault
from tests.integration.http.asking import Asking, hold_against_type_of_failure
from tests.integration.http.stage import Stage

LIMIT = 16_000


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize("path", ["//nothing", "//v1/api", "/queue", "//ops/api/rooms", "//schema/swagger-ui/x"])
async def test_a_path_that_leads_nowhere(client: Asking, path: str) -> None:
    reply = await client.ask("GET", path)

    assert reply.verdict == (404, "404")
    assert hold_against_type_of_failure(reply)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/queue/token", "DELETE, OPTIONS, POST"),
        ("PUT", "/user/amount", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/concerts/reserve/5", "DELETE, OPTIONS"),
        ("POST", "//healthz", "GET, HEAD, OPTIONS"),
        ("HEAD", "/concerts/payment", "OPTIONS, POST"),
    ],
)
async def test_a_method_the_path_does_not_know(client: Asking, method: str, path: str, allowed: str) -> None:
    reply = await client.ask(method, path)

    assert reply.status == 405
    assert reply.headers["allow"] == allowed
    if method != "HEAD":
        assert reply.exception["code"] == "405"


async def test_options_says_what_a_path_knows(client: Asking) -> None:
    reply = await client.ask("OPTIONS", "/user/amount")

    assert reply.status == 204
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_head_is_get_without_its_body(client: Asking) -> None:
    whole = await client.ask("GET", "/concerts")
    head = await client.ask("HEAD", "/concerts")

    assert head.body == b""
    same = ("content-length", "content-type", "etag", "cache-control")
    assert [head.headers[name] for name in same] == [whole.headers[name] for name in same]


async def test_every_answer_has_an_id_of_its_own(client: Asking) -> None:
    replies = [await client.ask("GET", path) for path in ("/concerts", "//nothing", "//healthz")]

    assert len({reply.headers["x-request-id"] for reply in replies}) == 3
    assert all(reply.headers["stagedoor-identity"] == "demo" for reply in replies)


async def test_an_id_is_never_the_clients_choice(client: Asking) -> None:
    reply = await client.ask("GET", "/concerts", headers={"x-request-id": "chosen"})

    assert reply.headers["x-request-id"] != "chosen"


async def test_on_the_way_out_connections_are_not_kept(stage: Stage, client: Asking) -> None:
    stage.is_draining = True

    for path in ("/concerts", "//nothing"):
        assert (await client.ask("GET", path)).headers["connection"] == "close"


async def test_sentences_come_in_the_language_asked_for(client: Asking) -> None:
    korean = await client.ask("GET", "//nothing", headers={"accept-language": "ko-KR,ko;q=0.9,en;q=0.8"})
    english = await client.ask("GET", "//nothing")

    assert korean.exception["message"] == "존재하지 않는 경로입니다."
    assert korean.headers["content-language"] == "ko"
    assert english.exception["message"] == "There is nothing at this path."
    assert korean.exception["code"] == english.exception["code"]


@pytest.mark.parametrize("path", ["/queue/token", "/queue/token/check", "//nothing"])
async def test_a_body_that_is_too_large(client: Asking, path: str) -> None:
    reply = await client.ask("POST", path, raw=b" " * (LIMIT + 1), headers={"content-type": "text/plain"})

    assert reply.verdict == (413, "413")
    assert reply.headers["connection"] == "close"


async def test_a_body_at_the_limit_is_read(client: Asking) -> None:
    body = b'{"userId":7}'.ljust(LIMIT)

    assert (await client.ask("POST", "/queue/token", raw=body)).status == 200


@pytest.mark.parametrize("path", ["/queue/token", "/queue/token/check"])
@pytest.mark.parametrize("pieces", [(b" " * LIMIT, b" "), tuple([b" " * 1_000] * 2_000)])
async def test_a_body_too_large_that_never_said_so(client: Asking, path: str, pieces: tuple[bytes, ...]) -> None:
    answered = await client.http.post(f"/v1/api{path}", content=in_pieces(*pieces))

    assert answered.status_code == 413
    assert answered.json()["exception"]["code"] == "413"


async def test_a_body_in_pieces_is_read_whole(client: Asking) -> None:
    answered = await client.http.post(
        "/v1/api/queue/token",
        content=in_pieces(b'{"user', b'Id":', b"7}"),
        headers={"content-type": "application/json"},
    )

    assert answered.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/xml"},
        {"content-type": "application/jsonp"},
        {"content-type": ""},
        {"content-type": "application/json; charset=euc-kr"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_what_is_not_json(client: Asking, headers: dict[str, str]) -> None:
    reply = await client.ask("POST", "/queue/token", raw=b'{"userId":7}', headers=headers)

    assert reply.verdict == (415, "415")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json; charset=utf-8",
        'Application/JSON; Charset="UTF-8"',
        "application/json;v=1",
        "application/json",
    ],
)
async def test_what_is_json(client: Asking, media_type: str) -> None:
    reply = await client.ask("POST", "/queue/token", raw=b'{"userId":7}', headers={"content-type": media_type})

    assert reply.status == 200


@pytest.mark.parametrize("body", [None, b"", b"null", b"{}", b'{"anything":[1]}'])
async def test_a_call_that_needs_no_body_is_not_refused_for_one(
    stage: Stage, client: Asking, body: bytes | None
) -> None:
    assert (await client.ask("POST", "/queue/token/check", raw=body, token=stage.token())).status == 200
    assert (await client.ask("DELETE", "/queue/token", raw=body, token=stage.token())).status == 200


@pytest.mark.parametrize("body", [None, b"", b"null", b"{}"])
async def test_where_a_field_is_needed_it_is_named(client: Asking, body: bytes | None) -> None:
    reply = await client.ask("POST", "/concerts/payment", raw=body)

    assert (reply.verdict, reply.field) == ((400, "400"), "reservationId")


@pytest.mark.parametrize("body", [None, b"", b"null", b"{}"])
async def test_a_demo_has_to_be_told_who_joins(client: Asking, body: bytes | None) -> None:
    reply = await client.ask("POST", "/queue/token", raw=body)

    assert (reply.verdict, reply.field) == ((400, "400"), "userId")


class TestFailures:
    @pytest.fixture(autouse=True)
    def _logged(self) -> Iterator[None]:
        with structlog.testing.capture_logs() as self.lines:
            yield

    async def test_a_defect_tells_its_id_and_nothing_else(self, stage: Stage, client: Asking) -> None:
        stage.till.outcomes.append(ZeroDivisionError("secret: /etc/passwd"))

        reply = await client.ask("POST", "/concerts/payment", json={"reservationId": 5, "userId": 7})

        assert reply.status == 500
        assert reply.exception == {
            "code": "500",
            "message": "Something went wrong on our side.",
            "requestId": reply.headers["x-request-id"],
        }

    async def test_a_defect_is_logged_once_with_its_cause(self, stage: Stage, client: Asking) -> None:
        stage.till.outcomes.append(ZeroDivisionError("why"))

        reply = await client.ask("POST", "/concerts/payment", json={"reservationId": 5, "userId": 7})

        [line] = self.lines
        assert (line["event"], line["call"], line["status"], line["log_level"]) == ("http.request", "pay", 500, "error")
        assert line["request_id"] == reply.headers["x-request-id"]
        assert isinstance(line["exc_info"], ZeroDivisionError)
        assert stage.metrics.registry.get_sample_value("stagedoor_defects_total") == 1

    async def test_a_fault_says_when_to_come_back(self, stage: Stage, client: Asking) -> None:
        stage.till.outcomes.append(Fault("the disk is full", retry_after_ms=2_500))

        reply = await client.ask("POST", "/concerts/payment", json={"reservationId": 5, "userId": 7})

        assert reply.verdict == (503, "503")
        assert reply.headers["retry-after"] == "3"
        assert reply.exception["retryAfterMs"] == 2_500
        assert b"disk" not in reply.body
        assert [line["log_level"] for line in self.lines] == ["warning"]

    async def test_an_answer_is_counted_by_call_and_status(self, stage: Stage, client: Asking) -> None:
        await client.ask("POST", "/concerts/payment", json={})
        await client.ask("GET", "//nothing")

        shown = stage.metrics.registry.get_sample_value
        assert shown("stagedoor_http_requests_total", {"call": "pay", "status": "400"}) == 1
        assert shown("stagedoor_http_requests_total", {"call": "none", "status": "404"}) == 1
        assert shown("stagedoor_refusals_total", {"code": "400"}) == 1
        assert shown("stagedoor_http_requests_under_way") == 0

    async def test_a_line_of_log_names_nobody(self, stage: Stage, client: Asking) -> None:
        stage.till.outcomes.append(Fault("out"))

        await client.ask(
            "POST",
            "/concerts/payment?userId=7",
            json={"reservationId": 5},
            token=stage.token(),
            key="my-key",
            headers={"x-identity": "my.own.jwt", "cookie": "session=mine"},
        )

        said = str(self.lines)
        for secret in (stage.token(), "my-key", "my.own.jwt", "session=mine", "userId", "127.0.0.1"):
            assert secret not in said

    async def test_what_the_work_of_a_gone_caller_raises_is_not_lost(self) -> None:
        stage = Stage(deadline_ms=1)
        client = Asking(stage.app)

        async def never(**_: object) -> Settled:
            raise Fault("later")

        stage.till.pay = never  # type: ignore[method-assign]
        async with client.http:
            reply = await client.ask("POST", "/concerts/payment", json={"reservationId": 5, "userId": 7})

        assert reply.verdict == (503, "503")


class TestClientsWhoGo:
    """A bare ASGI connection, because no client library hangs up in the middle of a request."""

    async def answered(self, stage: Stage, headers: RawHeaders, *received: dict[str, Any]) -> list[dict[str, Any]]:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/api/user/amount",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), *headers],
            "client": ("127.0.0.1", 1),
        }
        waiting, sent = iter(received), []

        async def receive() -> dict[str, Any]:
            return next(waiting)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        with structlog.testing.capture_logs() as self.lines:
            await stage.app(scope, receive, send)  # type: ignore[arg-type]  # its own ASGI types
        return sent

    async def test_nobody_is_answered_and_nothing_is_wrong(self, stage: Stage) -> None:
        part = {"type": "http.request", "body": b'{"a', "more_body": True}

        sent = await self.answered(stage, ((b"content-length", b"100"),), part, {"type": "http.disconnect"})

        assert sent == []
        assert [(line["status"], line["log_level"]) for line in self.lines] == [(499, "info")]
        assert "exc_info" not in self.lines[0]

    async def test_a_host_that_is_none_is_refused_in_the_envelope(self, stage: Stage) -> None:
        nothing = {"type": "http.request", "body": b"", "more_body": False}

        start, body = await self.answered(stage, ((b"host", b"a b"),), nothing)

        assert start["status"] == 400
        assert b'"code":"400"' in body["body"]


def test_two_apps_share_nothing() -> None:
    stage = Stage()

    assert create_app(stage.services) is not create_app(stage.services)
