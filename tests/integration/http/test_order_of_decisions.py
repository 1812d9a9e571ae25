"""A request that is wrong in several ways is told the first of them: 413, 415, 400, 401, 404, then the rest."""

import jwt
import pytest

from stagedoor.checkout.outcomes import HoldReceipt, Settled
from stagedoor.http.tokens import QueueTokens, signing_key
from stagedoor.kernel.clock import DAY_MS, MINUTE_MS, later
from stagedoor.kernel.ids import HoldId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.waiting_room.rejections import StillWaiting
from tests.integration.http.asking import Asking
from tests.integration.http.stage import ALICE, CLUB_NIGHT, NOON, SECRET, Stage, a_place

TOO_LARGE = b"{" * 16_001
PLAIN = {"content-type": "text/plain"}


async def test_large_before_not_json_before_unreadable_before_nobody(client: Asking) -> None:
    large = await client.ask("POST", "/concerts/reserve", raw=TOO_LARGE, headers=PLAIN)
    not_json = await client.ask("POST", "/concerts/reserve", raw=b"{", headers=PLAIN)
    unreadable = await client.ask("POST", "/concerts/reserve", raw=b"{")
    bad_key = await client.ask("POST", "/concerts/reserve", json={"scheduleId": 1, "seatId": 1}, key="\x7f")
    nobody = await client.ask("POST", "/concerts/reserve", json={"scheduleId": 1, "seatId": 1})

    assert [reply.status for reply in (large, not_json, unreadable, bad_key, nobody)] == [413, 415, 400, 400, 401]


async def test_unreadable_before_nobody_in_queries_and_paths(client: Asking) -> None:
    assert (await client.ask("GET", "/concerts/seat")).status == 400
    assert (await client.ask("GET", "/concerts/schedule?status=x")).status == 400
    assert (await client.ask("GET", "/user/orders?limit=x")).status == 400
    assert (await client.ask("DELETE", "/concerts/reserve/x")).status == 400
    assert (await client.ask("DELETE", "/queue/token", key="")).status == 400


async def test_a_bad_token_before_an_unknown_schedule(client: Asking) -> None:
    assert (await client.ask("GET", "/concerts/seat?scheduleId=99", token="no.good.token")).status == 401  # noqa: S106


async def test_an_unknown_schedule_before_still_waiting(stage: Stage, client: Asking) -> None:
    stage.door.refusal = StillWaiting()

    assert (await client.ask("GET", "/concerts/seat?scheduleId=99", token=stage.token())).status == 404
    assert (await client.ask("GET", "/concerts/seat?scheduleId=1", token=stage.token())).status == 403


@pytest.mark.parametrize("spelling", ["{}", "Bearer {}", "bearer {}", "BEARER  {}"])
async def test_a_token_works_bare_and_as_bearer(stage: Stage, client: Asking, spelling: str) -> None:
    reply = await client.ask("POST", "/queue/token/check", token=spelling.format(stage.token()))

    assert reply.status == 200


async def test_a_token_is_taken_from_its_header_only(stage: Stage, client: Asking) -> None:
    token = stage.token()

    in_url = await client.ask("POST", f"/queue/token/check?token={token}&Authorization={token}")
    in_cookie = await client.ask("POST", "/queue/token/check", headers={"cookie": f"authorization={token}"})
    in_body = await client.ask("POST", "/queue/token/check", json={"queueToken": token, "token": token})

    assert [reply.status for reply in (in_url, in_cookie, in_body)] == [401, 401, 401]


async def test_tokens_that_are_not_ours(stage: Stage, client: Asking) -> None:
    ours = stage.token()
    head, body, _ = ours.split(".")
    foreign = QueueTokens([signing_key(b"another secret, of the same size")], epoch="first").issue(a_place())
    of_another_line = QueueTokens([signing_key(SECRET)], epoch="second").issue(a_place())
    bad = [
        "",
        "Bearer",
        "Bearer ",
        "x",
        f"{head}.{body}.",
        ours[:-2],
        ours + "x",
        f"Basic {ours}",
        foreign,
        of_another_line,
        jwt.encode({"sub": "7", "room": "main", "num": 31}, "", algorithm="none"),
        "é" * 10,
        "x" * 10_000,
    ]

    for token in bad:
        for method, path in (("POST", "/queue/token/check"), ("GET", "/concerts/schedule"), ("GET", "/user/amount")):
            reply = await client.ask(method, path, headers={"authorization": token.encode()})  # type: ignore[dict-item]
            assert reply.verdict == (401, "401"), token


async def test_a_token_has_an_end(stage: Stage, client: Asking) -> None:
    token = stage.token()

    stage.clock.advance(7 * DAY_MS)

    assert (await client.ask("POST", "/queue/token/check", token=token)).verdict == (401, "401")


class TestKeys:
    def replayed(self) -> Settled:
        return Settled(
            receipt=HoldReceipt(
                hold_id=HoldId(5),
                buyer_id=ALICE,
                performance_id=CLUB_NIGHT,
                seat_ids=(SeatId(11),),
                amount_won=Won(50_000),
                placed_at=NOON,
                expires_at=later(NOON, 5 * MINUTE_MS),
                answered_at=NOON,
            ),
            replayed=True,
        )

    async def test_a_replay_says_so_and_is_the_first_answer_to_the_byte(self, stage: Stage, client: Asking) -> None:
        first = self.replayed()
        stage.till.outcomes.extend([Settled(receipt=first.receipt), first])
        asked = {"scheduleId": 1, "seatId": 11}

        once = await client.ask("POST", "/concerts/reserve", json=asked, token=stage.token(), key="k")
        stage.clock.advance(77_777)
        again = await client.ask("POST", "/concerts/reserve", json=asked, token=stage.token(), key="k")

        assert again.body == once.body
        assert "idempotent-replay" not in once.headers
        assert again.headers["idempotent-replay"] == "true"

    async def test_the_key_reaches_the_use_case_with_a_fingerprint_of_what_was_asked(
        self, stage: Stage, client: Asking
    ) -> None:
        stage.till.outcomes.extend([self.replayed()] * 4)
        for asked in (
            {"scheduleId": 1, "seatId": 11},
            {"seatId": 11, "scheduleId": 1, "more": "ignored"},
            {"scheduleId": 1, "seatIds": [11]},
            {"scheduleId": 1, "seatId": 12},
        ):
            await client.ask("POST", "/concerts/reserve", json=asked, token=stage.token(), key="k 1~")

        keys = [asked["key"] for asked in stage.till.asked]
        assert {key.value for key in keys} == {"k 1~"}
        assert len({key.fingerprint for key in keys[:3]}) == 1
        assert keys[3].fingerprint != keys[0].fingerprint

    async def test_every_call_that_changes_something_takes_one(self, stage: Stage, client: Asking) -> None:
        token = stage.token()
        for method, path, body in (
            ("POST", "/queue/token", {"userId": 7}),
            ("DELETE", "/queue/token", None),
            ("POST", "/user/amount", {"amount": 5, "userId": 7}),
            ("POST", "/concerts/reserve", {"scheduleId": 1, "seatId": 11}),
            ("DELETE", "/concerts/reserve/5", None),
            ("POST", "/concerts/payment", {"reservationId": 5}),
        ):
            for key in ("", "x" * 129, "a\tb"):
                reply = await client.ask(method, path, json=body, token=token, key=key)
                assert (reply.verdict, reply.field) == ((400, "400"), "Idempotency-Key")
