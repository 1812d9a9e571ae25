"""However the server says no, it says it in the same envelope, in the reader's language, and gives nothing away."""

import re
from collections.abc import Mapping

import pytest

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("envelopes", a_show(seats=2))
ROOMS = (ROOM,)
RESERVE = "/concerts/reserve"
TOLD = {"code", "message", "details", "retryAfterMs", "requestId"}
INTERNAL = re.compile(r"Traceback|stagedoor\.|sqlite|SELECT|File \"|litestar|msgspec", re.IGNORECASE)
KOREAN = re.compile("[가-힣]")
JSON = {"Content-Type": "application/json"}


def check_envelope(answer: Answer) -> None:
    """The three fields, nothing internal, JSON."""
    document = answer.document
    assert answer.headers["content-type"].startswith("application/json"), str(answer)
    assert document.keys() == {"resultType", "data", "exception"}, str(answer)
    assert (document["resultType"], document["data"]) == ("FAIL", {}), str(answer)
    assert {"code", "message"} <= document["exception"].keys() <= TOLD, str(answer)
    assert document["exception"]["message"], str(answer)
    assert INTERNAL.search(answer.raw.decode()) is None, str(answer)


async def test_a_success_has_the_three_fields_too(evening: Evening) -> None:
    async with evening.client() as client:
        joined = await evening.fan(client, ROOM.id).join()

    assert joined.document.keys() == {"resultType", "data", "exception"}
    assert (joined.document["resultType"], joined.document["exception"]) == ("SUCCESS", {})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", "//v2/api/queue/token", 404),
        ("POST", "/concerts/reserve/not-a-number", 405),
        ("GET", "/queue/token", 405),
        ("PUT", "/queue/token", 405),
        ("GET", "/queue/token/check", 405),
        ("DELETE", "/concerts/schedule", 405),
        ("POST", "/concerts/seat", 405),
        ("GET", "/concerts/payment", 405),
        ("PATCH", "/user/amount", 405),
    ],
)
async def test_paths_and_methods(evening: Evening, method: str, path: str, status: int) -> None:
    async with evening.client() as client:
        answer = await client.ask(method, path)

    assert answer.verdict == (status, str(status))
    check_envelope(answer)
    if status == 405:
        assert "allow" in answer.headers


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [
        (b"x" * 16_385, JSON, 413),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"null", JSON, 400),
        (b"[]", JSON, 400),
        (b'"userId"', JSON, 400),
        (b"{}", JSON, 400),
        (b'{"userId":null}', JSON, 400),
        (b'{"userId":"1"}', JSON, 400),
        (b'{"userId":true}', JSON, 400),
        (b'{"userId":1.5}', JSON, 400),
        (b'{"userId":0}', JSON, 400),
        (b'{"userId":-1}', JSON, 400),
        (b'{"userId":9007199254740992}', JSON, 400),
        (b'{"userId":1e400}', JSON, 400),
        (b'{"userId":1,"room":7}', JSON, 400),
        (b'{"userId":1,"more":' + b"[" * 17 + b"]" * 17 + b"}", JSON, 400),
        (b'{"userId":9007199254740991}', JSON, 404),
        (b'{"userId":1,"room":"nowhere"}', JSON, 404),
        (b'{"userId":1,"room":""}', JSON, 404),
    ],
)
async def test_bodies(evening: Evening, raw: bytes, headers: Mapping[str, str], status: int) -> None:
    async with evening.client() as client:
        answer = await client.ask("POST", "/queue/token", raw=raw, headers=headers)

    assert answer.verdict == (status, str(status))
    check_envelope(answer)


async def test_a_missing_field_is_named(evening: Evening) -> None:
    async with evening.client() as client:
        no_seat = await client.ask("POST", RESERVE, body={"scheduleId": 1})
        no_amount = await client.ask("POST", "/user/amount", body={})
        wrong_type = await client.ask("POST", "/concerts/payment", body={"reservationId": "one"})

    assert "seatId" in no_seat.raw.decode()
    assert "amount" in no_amount.raw.decode()
    assert "reservationId" in wrong_type.raw.decode()


async def test_a_strange_query_is_unreadable(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        queries = ["", "?scheduleId=", "?scheduleId=one", "?scheduleId=1.5", "?scheduleId=9007199254740992"]
        answers = [
            await client.ask("GET", f"/concerts/seat{query}", token=fan.token)
            for query in [*queries, f"?scheduleId={evening.show(ROOM.id).schedule_id}&status=some"]
        ]

    for answer in answers:
        assert answer.verdict == (400, "400"), str(answer)
        check_envelope(answer)


@pytest.mark.parametrize("key", ["", "k" * 129, "schlüssel", "tab\there"])
async def test_a_key_that_is_none(evening: Evening, key: str) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.join()
        answer = await fan.charge(1, key=key)

    assert answer.verdict == (400, "400")
    check_envelope(answer)


async def test_no_body_where_none_is_needed(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        path = "/queue/token/check"
        answers = [
            await client.ask("POST", path, token=fan.token),
            await client.ask("POST", path, token=fan.token, headers={"Content-Type": "text/plain"}),
            await client.ask("POST", path, token=fan.token, raw=b"{}"),
            await client.ask("POST", path, token=fan.token, raw=b"null"),
        ]

    assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize(
    ("language", "is_korean"),
    [("ko", True), ("ko-KR,ko;q=0.9,en;q=0.8", True), ("en", False), ("fr", False), ("en;q=0.9,ko;q=0.1", False)],
)
async def test_the_message_follows_the_language_and_the_code_does_not(
    evening: Evening, language: str, *, is_korean: bool
) -> None:
    async with evening.client() as client:
        answers = await some_refusals(client, {"Accept-Language": language})

    assert [answer.code for answer in answers] == ["401", "404", "400", "405", "415"]
    for answer in answers:
        check_envelope(answer)
        assert bool(KOREAN.search(answer.document["exception"]["message"])) == is_korean, str(answer)


async def some_refusals(client: Client, headers: Mapping[str, str]) -> list[Answer]:
    """Ask for refusals of different origins."""
    text = {**headers, "Content-Type": "text/plain"}
    return [
        await client.ask("GET", "/concerts/schedule", headers=headers),
        await client.ask("GET", "/nothing/here", headers=headers),
        await client.ask("POST", RESERVE, raw=b"{", headers=headers),
        await client.ask("GET", "/queue/token", headers=headers),
        await client.ask("POST", RESERVE, raw=b"{}", headers=text),
    ]
