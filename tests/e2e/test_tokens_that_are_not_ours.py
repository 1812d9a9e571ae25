"""Forged, altered, expired and foreign tokens open nothing; a genuine one counts only in the header."""

from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from stagedoor.http.tokens import SigningKey, signing_key
from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import unexpected
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.server import SECRET

ROOM = a_room("tokens", a_show(seats=3))
ROOMS = (ROOM,)
NOT_KNOWN = (401, "401")
OURS = signing_key(SECRET.encode())
THEIRS = SigningKey(kid=OURS.kid, secret=b"somebody else's secret, also longer than 32 bytes")
LONG_AGO = 1_500_000_000


def claims(token: str) -> dict[str, Any]:
    """Read a token without believing it."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def signed(said: Mapping[str, Any], key: SigningKey = OURS, algorithm: str = "HS256", **header: object) -> str:
    """Sign *said* as the server would, if it had that key."""
    return jwt.encode(dict(said), key.secret, algorithm=algorithm, headers={"kid": key.kid, **header})


def with_last_character_changed(token: str) -> str:
    """Alter the signature where base64 forgives most: the last character carries only four bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def not_ours(token: str) -> dict[str, str]:
    """Return tokens that differ from a genuine one in one thing each."""
    said = claims(token)
    header, payload, signature = token.split(".")
    unsigned = jwt.encode(said, "", algorithm="none", headers={"kid": OURS.kid})
    return {
        "empty": "",
        "no token at all": "let me in",
        "two parts": f"{header}.{payload}",
        "four parts": f"{token}.{signature}",
        "altered buyer": ".".join([header, signed({**said, "sub": "1"}).split(".")[1], signature]),
        "altered signature": with_last_character_changed(token),
        "cut short": token[:-1],
        "unsigned": unsigned,
        "unsigned with a signature": f"{unsigned}{signature}",
        "another algorithm": signed(said, algorithm="HS512"),
        "something critical": signed(said, crit=["exp"]),
        "another installation's": signed(said, THEIRS),
        "another key's name": signed(said, SigningKey(kid="nobody", secret=OURS.secret)),
        "expired": signed({**said, "exp": LONG_AGO}),
        "of another life of the line": signed({**said, "jti": "AAAAAAAAAAAAAAAA"}),
        "of a place that is not there": signed({**said, "num": said["num"] + 1_000_000}),
        "of another scheme": f"Basic {token}",
        "too long": token + "A" * 5_000,
    }


async def every_call(client: Client, token: str | None, schedule_id: int, seat_id: int) -> list[Answer]:
    """Make every call that needs a token."""
    asked: list[tuple[str, str, object]] = [
        ("POST", "/queue/token/check", None),
        ("DELETE", "/queue/token", None),
        ("GET", "/concerts/schedule", None),
        ("GET", f"/concerts/seat?scheduleId={schedule_id}", None),
        ("POST", "/concerts/reserve", {"scheduleId": schedule_id, "seatId": seat_id}),
        ("POST", "/concerts/payment", {"reservationId": 1}),
        ("DELETE", "/concerts/reserve/1", None),
        ("GET", "/user/amount", None),
        ("POST", "/user/amount", {"amount": 1}),
        ("GET", "/user/reservations", None),
        ("GET", "/user/orders", None),
        ("GET", "/user/ledger", None),
    ]
    return [await client.ask(method, path, body=body, token=token) for method, path, body in asked]


@pytest.mark.filterwarnings("ignore:The HMAC key is:jwt.warnings.InsecureKeyLengthWarning")
async def test_they_are_refused_on_every_call(evening: Evening) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        tokens = not_ours(fan.token)

        refused = [
            answer
            for token in [None, *tokens.values()]
            for answer in await every_call(client, token, show.schedule_id, show.seat_ids[0])
        ]
        still_there = await fan.reserve(show.schedule_id, show.seat_ids[0])

    assert unexpected(refused, NOT_KNOWN) == []
    assert still_there.ok


async def test_the_same_claims_under_the_right_key_are_accepted(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()

        spelled_anew = Fan(client=client, buyer_id=fan.buyer_id, room_id=ROOM.id, token=signed(claims(fan.token)))
        accepted = await spelled_anew.check()

    assert accepted.ok, str(accepted)


@pytest.mark.parametrize("spelling", ["{}", "Bearer {}", "bearer {}"])
async def test_bare_and_bearer_are_the_same(evening: Evening, spelling: str) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        fan.token = spelling.format(fan.token)

        answers = [await fan.check(), await fan.schedule(), await fan.charge(1)]

    assert {answer.status for answer in answers} == {200}


async def test_a_token_in_the_url_is_not_read(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()

        answers = [
            await client.ask(method, f"{path}?{name}={fan.token}")
            for name in ("token", "queueToken", "Authorization", "access_token")
            for method, path in (("GET", "/concerts/schedule"), ("POST", "/queue/token/check"), ("GET", "/user/amount"))
        ]

    assert unexpected(answers, NOT_KNOWN) == []


async def test_a_token_has_the_claims_it_should(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        joined = await fan.join()

    said = claims(fan.token)
    week = 7 * 86_400
    assert (said["sub"], said["room"]) == (str(fan.buyer_id), ROOM.id)
    assert {"num", "jti", "exp"} <= said.keys()
    assert abs(said["exp"] - joined.answered_at // 1_000 - week) < 60
    assert jwt.get_unverified_header(fan.token) == {"alg": "HS256", "kid": OURS.kid, "typ": "JWT"}
