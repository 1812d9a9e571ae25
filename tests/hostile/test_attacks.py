"""Somebody who knows the API by heart: with forged tokens, at what belongs to others, and many times at once."""

import asyncio
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping

from stagedoor.http.tokens import SigningKey, signing_key
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evening
from tests.e2e.harness.fan import Fan, wanted
from tests.e2e.harness.server import SECRET
from tests.hostile.conftest import FULL, OPEN, Houses

RESERVE, PAY = ("POST", "/concerts/reserve"), ("POST", "/concerts/payment")
LIMIT = 4
LEAVERS = 20


def base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key: SigningKey, claims: Mapping[str, object], **header: object) -> str:
    """Return a token that says *claims*, truly signed; *header* exchanges fields of its header."""
    head = {"alg": "HS256", "kid": key.kid, "typ": "JWT", **header}
    text = ".".join(base64(json.dumps(part).encode()) for part in (head, claims))
    return f"{text}.{base64(hmac.digest(key.secret, text.encode(), 'sha256'))}"


def claims_of(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    claims: dict[str, object] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def tokens_are_refused(fan: Fan) -> None:
    """Whatever is not exactly a token of ours, for a place of this line, is none: even where the key has leaked."""
    ours, theirs = signing_key(SECRET.encode()), signing_key(b"another secret, also longer than 32 bytes")
    said = claims_of(fan.token)
    header, payload, signature = fan.token.split(".")
    none = base64(json.dumps({"alg": "none", "kid": ours.kid, "typ": "JWT"}).encode())
    refused = [
        *(signed(theirs, said), signed(theirs, said, kid=ours.kid), signed(ours, said, kid="../secret")),
        *(signed(ours, said, kid=None), signed(ours, said, kid=[ours.kid]), signed(ours, said, alg="HS512")),
        *(
            signed(ours, said, crit=["b64"]),
            signed(ours, said, jku="https://elsewhere.example"),
            signed(ours, said, typ="x"),
        ),
        *(signed(ours, {**said, "jti": "x" * 16}), signed(ours, {**said, "room": FULL.id})),
        *(signed(ours, {**said, "num": number}) for number in (0, -1, 1.5, "1", None, 1 << 53, 10**6)),
        *(signed(ours, {**said, "exp": end}) for end in (0, 1, -1, "9", None, 1e12, 1 << 60)),
        *(signed(ours, {**said, "sub": who}) for who in ("", "0", "01", "-1", "1.0", "\u0661", 1, None, str(1 << 53))),
        *(f"{none}.{payload}.", f"{none}.{payload}.{signature}", f"{header}.{payload}.", f"{header}.{payload}"),
        *(f"{fan.token}=", f"{fan.token}.x", f"Bearer Bearer {fan.token}", f"Basic {fan.token}", fan.token.upper()),
    ]
    answers = [await fan.client.ask("GET", "/concerts/schedule", token=token) for token in refused]

    assert [str(answer) for answer in answers if answer.verdict != (401, "401")] == []
    assert signed(ours, said) == fan.token or (await fan.client.ask("POST", "/queue/token/check", token=fan.token)).ok


async def nothing_of_others_is_found(house: Evening, mine: Fan, other: Fan) -> None:
    """Another's reservation, another room's hall, another's key: as if there were none."""
    show, foreign = house.show(OPEN.id), house.show(FULL.id)
    held = await other.reserve(show.schedule_id, show.seat_ids[0], key="hers")
    reservation_id = held.data["reservationId"]
    paid_by_me = await mine.pay(reservation_id, key="hers")
    released_by_me = await mine.release(reservation_id)
    crossing = [
        await mine.seats(foreign.schedule_id),
        await mine.reserve(foreign.schedule_id, foreign.seat_ids[0]),
        await mine.reserve(show.schedule_id, foreign.seat_ids[0]),
        await mine.reserve(show.schedule_id, show.seat_ids[9], foreign.seat_ids[0]),
        await mine.pay(reservation_id + 1),
    ]
    same_key = await mine.reserve(show.schedule_id, show.seat_ids[0], key="hers")
    paid = await other.pay(reservation_id, key="hers")

    assert {answer.verdict for answer in (paid_by_me, released_by_me, *crossing)} == {(404, "404")}
    assert same_key.verdict == (409, "004")
    assert paid.ok


async def a_thousand_tries_win_no_more_than_one_may(house: Evening, client: Client, fan: Fan) -> None:
    """However many at once, a buyer has as many seats as a buyer may have."""
    show = house.show(OPEN.id)
    tries = [
        client.ask(*RESERVE, body=wanted(show.schedule_id, seat_id), token=fan.token)
        for seat_id in show.seat_ids[10:260]
    ]
    answers = await asyncio.gather(*tries)

    verdicts = Counter(answer.verdict for answer in answers)
    assert verdicts[200, None] == LIMIT
    assert verdicts.keys() == {(200, None), (409, "007")}


async def leaving_does_not_cheat(house: Evening, client: Client) -> None:
    """Whoever leaves while she pays has either paid and the seat, or neither."""
    show = house.show(OPEN.id)
    leavers = house.fans(LEAVERS, client, OPEN.id)
    await asyncio.gather(*(fan.enter() for fan in leavers))
    held = [await fan.reserve(show.schedule_id, show.seat_ids[300 + number]) for number, fan in enumerate(leavers)]
    both = [(fan.pay(answer.data["reservationId"]), fan.leave()) for fan, answer in zip(leavers, held, strict=True)]
    await asyncio.gather(*(call for pair in both for call in pair))
    for fan in leavers:
        orders, balance = await fan.mine("orders"), await fan.balance()
        assert balance == OPENING_BALANCE_WON - sum(order["amount"] for order in orders)
        assert len(orders) <= 1


async def test_nothing_is_won_by_knowing_the_api(houses: Houses) -> None:
    with houses() as house:
        async with house.client() as client:
            mine, other, greedy = house.fans(3, client, OPEN.id)
            await asyncio.gather(*(fan.enter() for fan in (mine, other, greedy)))
            await tokens_are_refused(mine)
            await nothing_of_others_is_found(house, mine, other)
            await a_thousand_tries_win_no_more_than_one_may(house, client, greedy)
            await leaving_does_not_cheat(house, client)
        house.check()
