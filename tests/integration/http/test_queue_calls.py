import pytest

from stagedoor.http.buckets import Rate
from stagedoor.http.limits import CallLimit, LimitPolicy
from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS, later
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.idempotency import KeyReused, TooManyKeys
from stagedoor.kernel.ids import PlaceRef, QueueNumber
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.rejections import LineIsFull, RoomIsClosed, UnknownBuyer, UnknownPlace, UnknownRoom
from tests.integration.http.asking import Asking
from tests.integration.http.stage import ALICE, MAIN, NOON, Stage, a_place, a_room, a_supply, an_admitted_place


async def test_a_place_and_its_token(stage: Stage, client: Asking) -> None:
    stage.door.place = a_place()

    reply = await client.ask("POST", "/queue/token", json={"userId": 7})

    assert reply.data == {"queueToken": stage.token(), "queuePosition": 30, "status": "WAITING"}
    assert reply.headers["cache-control"] == "no-store"
    assert stage.door.asked == [{"buyer_id": ALICE, "room_id": MAIN, "key": None}]


async def test_a_room_by_name(stage: Stage, client: Asking) -> None:
    await client.ask("POST", "/queue/token", json={"userId": 7, "room": "other"})

    assert stage.door.asked[0]["room_id"] == "other"


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (UnknownBuyer(), 404, "404"),
        (UnknownRoom(), 404, "404"),
        (RoomIsClosed(), 409, "008"),
        (LineIsFull(), 503, "503"),
        (KeyReused(), 422, "422"),
        (TooManyKeys(), 429, "429"),
    ],
)
async def test_no_place(stage: Stage, client: Asking, refusal: Rejection, status: int, code: str) -> None:
    stage.door.refusal = refusal

    reply = await client.ask("POST", "/queue/token", json={"userId": 7})

    assert reply.verdict == (status, code)
    assert ("retry-after" in reply.headers) == (status in {429, 503})


async def test_while_waiting_one_is_told_when_to_ask_again(stage: Stage, client: Asking) -> None:
    stage.door.place = a_place()

    reply = await client.ask("POST", "/queue/token/check", token=stage.token())

    assert reply.data == {
        "queuePosition": 30,
        "status": "WAITING",
        "estimatedWaitSeconds": 13,
        "pollAfterMs": 2_000,
        "roomState": "OPEN",
    }
    assert reply.headers["cache-control"] == "no-store"
    assert stage.door.asked == [{"ref": PlaceRef(room_id=MAIN, number=QueueNumber(31))}]


async def test_nobody_can_say_how_long(stage: Stage, client: Asking) -> None:
    stage.door.place = a_place(estimated_wait_ms=None)

    assert (await client.ask("POST", "/queue/token/check", token=stage.token())).data["estimatedWaitSeconds"] is None


async def test_while_nobody_is_let_in_one_is_told_so_and_nobody_can_say_how_long(stage: Stage, client: Asking) -> None:
    stage.door.place = a_place()
    stage.door.is_paused = True

    poll = await client.ask("POST", "/queue/token/check", token=stage.token())
    document = await client.ask("GET", "/queue/status")

    assert poll.data == {
        "queuePosition": 30,
        "status": "WAITING",
        "estimatedWaitSeconds": None,
        "pollAfterMs": 2_000,
        "roomState": "OPEN",
        "admissionPaused": True,
    }
    assert document.data["admissionPaused"] is True
    assert "stale" not in document.data


async def test_what_may_be_out_of_date_says_so(stage: Stage, client: Asking) -> None:
    stage.door.is_paused = stage.door.is_stale = True

    poll = await client.ask("POST", "/queue/token/check", token=stage.token())
    document = await client.ask("GET", "/queue/status")

    assert (poll.data["stale"], document.data["stale"]) == (True, True)
    assert poll.data["status"] == "PROGRESS"


async def test_once_admitted_the_ends_are_told(stage: Stage, client: Asking) -> None:
    stage.door.place = an_admitted_place()
    stage.clock.advance(1_500)

    data = (await client.ask("POST", "/queue/token/check", token=stage.token())).data

    assert data == {
        "queuePosition": 0,
        "status": "PROGRESS",
        "estimatedWaitSeconds": 0,
        "pollAfterMs": 2_000,
        "roomState": "OPEN",
        "expiresAt": "2027-01-02T03:14:05.678Z",
        "expiresInSeconds": 598,
        "idleAfterSeconds": 28,
    }


@pytest.mark.parametrize(("holds_for_ms", "expires_in"), [(MINUTE_MS, 600), (12 * MINUTE_MS, 720)])
async def test_with_seats_held_the_session_lasts_as_long_as_they(
    stage: Stage, client: Asking, holds_for_ms: int, expires_in: int
) -> None:
    stage.door.place = a_place(
        state=PlaceState.ADMITTED,
        position=0,
        session_ends_at=later(NOON, 10 * MINUTE_MS),
        holds_until=later(NOON, holds_for_ms),
    )

    data = (await client.ask("POST", "/queue/token/check", token=stage.token())).data

    assert data["expiresInSeconds"] == expires_in
    assert "idleAfterSeconds" not in data


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (PlaceState.PASSED_OVER, "WAITING"),
        (PlaceState.DONE, "DONE"),
        (PlaceState.EXPIRED, "EXPIRED"),
    ],
)
async def test_the_words_for_a_place(stage: Stage, client: Asking, state: PlaceState, word: str) -> None:
    stage.door.place = a_place(state=state, position=0, session_ends_at=NOON)

    data = (await client.ask("POST", "/queue/token/check", token=stage.token())).data

    assert data["status"] == word
    assert "expiresAt" not in data


async def test_before_the_opening_there_is_a_countdown(stage: Stage, client: Asking) -> None:
    stage.door.place = a_place()
    stage.door.room = a_room(opens_at=later(NOON, 90_001))

    data = (await client.ask("POST", "/queue/token/check", token=stage.token())).data

    assert data["roomState"] == "UPCOMING"
    assert (data["opensAt"], data["opensInSeconds"]) == ("2027-01-02T03:05:35.679Z", 91)


async def test_at_the_opening_there_is_none(stage: Stage, client: Asking) -> None:
    stage.door.room = a_room(opens_at=NOON)

    data = (await client.ask("POST", "/queue/token/check", token=stage.token())).data

    assert data["roomState"] == "OPEN"
    assert "opensAt" not in data


async def test_when_nothing_is_free_one_is_told_what_may_come_back(stage: Stage, client: Asking) -> None:
    stage.door.supply = a_supply(free=0, held=2, next_hold_ends_at=later(NOON, 61 * SECOND_MS))

    data = (await client.ask("POST", "/queue/token/check", token=stage.token())).data

    shortage = {name: data[name] for name in ("soldOut", "free", "held", "nextHoldEndsInSeconds")}
    assert shortage == {"soldOut": False, "free": 0, "held": 2, "nextHoldEndsInSeconds": 61}


async def test_when_nothing_can_come_back_it_is_sold_out(stage: Stage, client: Asking) -> None:
    stage.door.supply = a_supply(free=0, held=0)

    data = (await client.ask("POST", "/queue/token/check", token=stage.token())).data

    assert (data["soldOut"], data["free"], data["held"]) == (True, 0, 0)
    assert "nextHoldEndsInSeconds" not in data


async def test_a_place_that_is_not_known_any_more(stage: Stage, client: Asking) -> None:
    stage.door.refusal = UnknownPlace()

    reply = await client.ask("POST", "/queue/token/check", token=stage.token())

    assert reply.verdict == (401, "401")
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_leaving(stage: Stage, client: Asking) -> None:
    token = stage.token()
    stage.door.place = a_place(state=PlaceState.EXPIRED, position=0)

    reply = await client.ask("DELETE", "/queue/token", token=token)

    assert reply.data == {"queuePosition": 0, "status": "EXPIRED"}
    assert stage.door.asked == [{"ref": PlaceRef(room_id=MAIN, number=QueueNumber(31)), "key": None}]


async def test_the_document_for_everybody(stage: Stage, client: Asking) -> None:
    stage.door.room = a_room(opens_at=later(NOON, MINUTE_MS))
    stage.door.supply = a_supply(next_hold_ends_at=later(NOON, 1))

    reply = await client.ask("GET", "/queue/status?room=main")

    assert reply.data == {
        "room": "main",
        "roomState": "UPCOMING",
        "servingNumber": 1_200,
        "lastNumber": 48_000,
        "waiting": 45_210,
        "active": 500,
        "maxActive": 30,
        "admittedPerSecond": 20.5,
        "admittedPerSecondMax": None,
        "soldOut": False,
        "free": 812,
        "held": 96,
        "pollsPerSecond": 5_000,
        "pollAfterMs": 2_000,
        "admissionPaused": False,
        "nextHoldEndsInSeconds": 1,
        "opensAt": "2027-01-02T03:05:05.678Z",
        "opensInSeconds": 60,
    }
    assert reply.headers["cache-control"] == "public, max-age=1"


async def test_the_document_is_of_the_main_room_unless_asked_otherwise(stage: Stage, client: Asking) -> None:
    await client.ask("GET", "/queue/status")
    await client.ask("GET", "/queue/status?room=vip%20%ED%95%9C")

    assert [asked["room_id"] for asked in stage.door.asked] == ["main", "vip 한"]


async def test_an_unknown_room_has_no_document(stage: Stage, client: Asking) -> None:
    stage.door.refusal = UnknownRoom()

    assert (await client.ask("GET", "/queue/status?room=nowhere")).verdict == (404, "404")


async def test_polls_that_come_too_early_are_refused_in_the_end() -> None:
    tight = CallLimit(buyer=Rate(per_second=1, burst=1), address=Rate(per_second=100, burst=100))
    stage = Stage(policy=LimitPolicy(early_poll=tight))
    client = Asking(stage.app)
    async with client.http:
        for _ in range(2):
            assert (await client.ask("POST", "/queue/token/check", token=stage.token())).status == 200

        reply = await client.ask("POST", "/queue/token/check", token=stage.token())

    assert reply.verdict == (429, "429")
    assert 0 < reply.exception["retryAfterMs"] <= 2_000
    assert reply.headers["retry-after"] == "2"


async def test_joins_are_limited() -> None:
    tight = CallLimit(buyer=Rate(per_second=1, burst=1), address=Rate(per_second=100, burst=100))
    stage = Stage(policy=LimitPolicy(join=tight))
    client = Asking(stage.app)
    async with client.http:
        first = await client.ask("POST", "/queue/token", json={"userId": 7})
        second = await client.ask("POST", "/queue/token", json={"userId": 7})

    assert first.status == 200
    assert second.verdict == (429, "429")
