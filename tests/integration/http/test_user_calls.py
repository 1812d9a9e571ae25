import pytest

from stagedoor.checkout.outcomes import Settled, WalletReceipt
from stagedoor.checkout.rows import Order
from stagedoor.holds.model import HeldSeat, Hold, HoldState
from stagedoor.http.buckets import Rate
from stagedoor.http.limits import CallLimit, LimitPolicy
from stagedoor.kernel.clock import MINUTE_MS, later
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import HoldId, OrderId, PlaceRef, QueueNumber, SeatId, TransferId
from stagedoor.kernel.money import Won
from stagedoor.waiting_room.rejections import UnknownBuyer
from stagedoor.wallet.model import BOX_OFFICE, FUNDING, Transfer, TransferKind, wallet_account
from stagedoor.wallet.rejections import BalanceTooLarge, ChargeNotAllowed
from tests.integration.http.asking import Asking
from tests.integration.http.stage import ALICE, CLUB_NIGHT, MAIN, NOON, Stage


def charged(balance: int = 350_000) -> Settled:
    return Settled(receipt=WalletReceipt(transfer_id=TransferId(3), balance_won=Won(balance), posted_at=NOON))


def a_hold(hold_id: int, state: HoldState = HoldState.OPEN) -> Hold:
    return Hold(
        id=HoldId(hold_id),
        buyer_id=ALICE,
        place=PlaceRef(room_id=MAIN, number=QueueNumber(31)),
        performance_id=CLUB_NIGHT,
        seats=(HeldSeat(seat_id=SeatId(11), price_won=Won(50_000)),),
        placed_at=NOON,
        expires_at=later(NOON, 5 * MINUTE_MS),
        state=state,
    )


async def test_a_charge_by_user_id(stage: Stage, client: Asking) -> None:
    stage.till.outcomes.append(charged())

    reply = await client.ask("POST", "/user/amount", json={"amount": 50_000, "userId": 7})

    assert reply.data == {"amount": 350_000}
    assert stage.till.asked == [{"buyer_id": ALICE, "amount_won": 50_000, "key": None}]


async def test_a_charge_by_token(stage: Stage, client: Asking) -> None:
    stage.till.outcomes.append(charged())

    assert (await client.ask("POST", "/user/amount", json={"amount": 1}, token=stage.token())).status == 200
    assert stage.till.asked[0]["buyer_id"] == ALICE


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"userId": 7}, "amount"),
        ({"amount": 0, "userId": 7}, "amount"),
        ({"amount": 10_000_001, "userId": 7}, "amount"),
        ({"amount": "5", "userId": 7}, "amount"),
        ({"amount": 1.5, "userId": 7}, "amount"),
        ({"amount": True, "userId": 7}, "amount"),
        ({"amount": 5, "userId": 0}, "userId"),
    ],
)
async def test_a_charge_that_cannot_be_read(client: Asking, body: dict[str, object], field: str) -> None:
    reply = await client.ask("POST", "/user/amount", json=body)

    assert (reply.verdict, reply.field) == ((400, "400"), field)


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [(UnknownBuyer(), 404, "404"), (ChargeNotAllowed(), 403, "403"), (BalanceTooLarge(), 400, "400")],
)
async def test_no_charge(stage: Stage, client: Asking, refusal: Rejection, status: int, code: str) -> None:
    stage.till.outcomes.append(refusal)

    assert (await client.ask("POST", "/user/amount", json={"amount": 5, "userId": 7})).verdict == (status, code)


async def test_charges_are_limited() -> None:
    tight = CallLimit(buyer=Rate(per_second=1, burst=1), address=Rate(per_second=100, burst=100))
    stage = Stage(policy=LimitPolicy(charge=tight))
    stage.till.outcomes.append(charged())
    client = Asking(stage.app)
    async with client.http:
        first = await client.ask("POST", "/user/amount", json={"amount": 5, "userId": 7})
        second = await client.ask("POST", "/user/amount", json={"amount": 5, "userId": 7})

    assert first.status == 200
    assert second.verdict == (429, "429")


async def test_the_balance(stage: Stage, client: Asking) -> None:
    by_token = await client.ask("GET", "/user/amount", token=f"Bearer {stage.token()}")
    by_id = await client.ask("GET", "/user/amount?userId=7")

    assert by_token.data == by_id.data == {"amount": 300_000}
    assert by_id.headers["cache-control"] == "private, no-store"


async def test_nobody_has_no_balance(stage: Stage, client: Asking) -> None:
    stage.wallets.won = None

    assert (await client.ask("GET", "/user/amount?userId=99")).verdict == (404, "404")


@pytest.mark.parametrize("path", ["/user/amount", "/user/reservations", "/user/orders", "/user/ledger"])
async def test_somebody_has_to_ask(client: Asking, path: str) -> None:
    assert (await client.ask("GET", path)).verdict == (401, "401")


@pytest.mark.parametrize("path", ["/user/amount", "/user/reservations", "/user/orders", "/user/ledger"])
async def test_nobody_asks_for_somebody_else(stage: Stage, client: Asking, path: str) -> None:
    assert (await client.ask("GET", f"{path}?userId=8", token=stage.token())).verdict == (403, "403")


async def test_a_bad_token_is_bad_whatever_else_is_said(client: Asking) -> None:
    assert (await client.ask("GET", "/user/amount?userId=7", token="x.y.z")).verdict == (401, "401")  # noqa: S106


async def test_two_user_ids_are_one_too_many(client: Asking) -> None:
    reply = await client.ask("POST", "/user/amount?userId=8", json={"amount": 5, "userId": 7})

    assert (reply.verdict, reply.field) == ((400, "400"), "userId")


async def test_reservations_and_what_became_of_them(stage: Stage, client: Asking) -> None:
    stage.records.holds = [
        a_hold(4),
        a_hold(3, HoldState.PAID),
        a_hold(2, HoldState.RELEASED),
        a_hold(1, HoldState.EXPIRED),
    ]
    stage.clock.advance(1_001)

    rows = (await client.ask("GET", "/user/reservations?userId=7")).data

    assert [(row["status"], row["reservedUntilInSeconds"]) for row in rows] == [
        ("TEMP_RESERVED", 298),
        ("RESERVED", 0),
        ("RELEASED", 0),
        ("EXPIRED", 0),
    ]
    assert rows[0] == {
        "reservationId": 4,
        "scheduleId": 1,
        "room": "main",
        "seatIds": [11],
        "amount": 50_000,
        "status": "TEMP_RESERVED",
        "reservedDate": "2027-01-02 12:04:05",
        "reservedUntilDate": "2027-01-02 12:09:05",
        "reservedAt": "2027-01-02T03:04:05.678Z",
        "reservedUntilAt": "2027-01-02T03:09:05.678Z",
        "reservedUntilInSeconds": 298,
    }


async def test_a_reservation_past_its_deadline_is_over_whoever_has_noticed(stage: Stage, client: Asking) -> None:
    stage.records.holds = [a_hold(4)]
    stage.clock.advance(5 * MINUTE_MS)

    [row] = (await client.ask("GET", "/user/reservations?userId=7")).data

    assert row["status"] == "EXPIRED"


async def test_orders(stage: Stage, client: Asking) -> None:
    order = Order(
        id=OrderId(9),
        hold_id=HoldId(3),
        buyer_id=ALICE,
        performance_id=CLUB_NIGHT,
        amount_won=Won(50_000),
        paid_at=NOON,
    )
    stage.records.orders = [(order, a_hold(3, HoldState.PAID))]

    assert (await client.ask("GET", "/user/orders", token=stage.token())).data == [
        {
            "orderId": 9,
            "reservationId": 3,
            "scheduleId": 1,
            "seatIds": [11],
            "amount": 50_000,
            "paidDate": "2027-01-02 12:04:05",
            "paidAt": "2027-01-02T03:04:05.678Z",
        }
    ]


async def test_the_ledger_has_signs(stage: Stage, client: Asking) -> None:
    hers = wallet_account(ALICE)
    stage.wallets.transfers = [
        Transfer(
            id=TransferId(2),
            buyer_id=ALICE,
            kind=TransferKind.PAYMENT,
            debit=hers,
            credit=BOX_OFFICE,
            amount_won=Won(50_000),
            posted_at=NOON,
            cause_id=9,
        ),
        Transfer(
            id=TransferId(1),
            buyer_id=ALICE,
            kind=TransferKind.CHARGE,
            debit=FUNDING,
            credit=hers,
            amount_won=Won(70_000),
            posted_at=NOON,
        ),
    ]

    assert (await client.ask("GET", "/user/ledger?userId=7")).data == [
        {
            "transferId": 2,
            "type": "PAYMENT",
            "amount": -50_000,
            "postedAt": "2027-01-02T03:04:05.678Z",
            "orderId": 9,
        },
        {"transferId": 1, "type": "CHARGE", "amount": 70_000, "postedAt": "2027-01-02T03:04:05.678Z"},
    ]


@pytest.mark.parametrize(("limit", "shown"), [("", 3), ("&limit=2", 2), ("&limit=100", 3)])
async def test_as_many_rows_as_asked_for(stage: Stage, client: Asking, limit: str, shown: int) -> None:
    stage.records.holds = [a_hold(3), a_hold(2), a_hold(1)]

    assert len((await client.ask("GET", f"/user/reservations?userId=7{limit}")).data) == shown


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1"])
async def test_but_not_more_than_a_page(client: Asking, limit: str) -> None:
    reply = await client.ask("GET", f"/user/ledger?userId=7&limit={limit}")

    assert (reply.verdict, reply.field) == ((400, "400"), "limit")


async def test_a_token_that_proves_who_asks_is_a_sign_of_presence(stage: Stage, client: Asking) -> None:
    reply = await client.ask("GET", "/user/amount", token=stage.token())

    assert reply.status == 200
    assert stage.door.recognized == [stage.door.place.ref]


async def test_a_revoked_token_proves_nothing(stage: Stage, client: Asking) -> None:
    stage.door.revoked.add(stage.door.place.ref)

    assert (await client.ask("GET", "/user/amount", token=stage.token())).verdict == (401, "401")
    assert (await client.ask("GET", "/user/amount?userId=7")).status == 200
