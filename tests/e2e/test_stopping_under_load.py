"""Asked to stop in the middle of the rush, the server answers what it has taken and goes within ten seconds."""

import asyncio
from signal import SIGKILL, SIGTERM, Signals

from tests.e2e.harness.answers import now_ms
from tests.e2e.harness.checkers import GRANTED, money_astray, unexpected
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evening, Evenings
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import CHARGE, calls
from tests.e2e.harness.until import until
from tests.e2e.harness.wire import ConnectionCutError

ROOM = a_room("drain", a_show(seats=1))
BUSY = 40
UNDER_WAY = 400
STOPS_WITHIN_MS = 10_000
READY = "//readyz"
CLOSED = (ConnectionRefusedError, ConnectionResetError, ConnectionCutError)


async def charge_until(done: asyncio.Event, fan: Fan) -> None:
    """Charge again and again until nobody sends requests here any more."""
    while not done.is_set():
        await fan.charge(1_000)


async def charge_until_closed(fan: Fan) -> None:
    """Charge again and again, whatever readiness says, until nobody takes the connection any more."""
    while True:
        try:
            await fan.charge(1_000)
        except CLOSED:
            return


async def ask_until_closed(client: Client, unready: asyncio.Event) -> None:
    """Ask for readiness as a load balancer does."""
    while True:
        try:
            answer = await client.ask("GET", READY)
        except CLOSED:
            return
        if not answer.ok:
            unready.set()


async def stop_in_the_middle(evening: Evening, client: Client, how: Signals = SIGTERM) -> tuple[int, int]:
    """Wait until the rush is on, have the server stop; return its exit code and how long it took."""

    async def answered() -> int:
        return len(client.record)

    await until(answered, lambda count: count >= UNDER_WAY)
    asked_at = now_ms()
    evening.server.send_signal(how)
    code = await asyncio.to_thread(evening.server.ended)
    return code, now_ms() - asked_at


async def test_no_request_is_cut_and_nothing_is_lost(evenings: Evenings) -> None:
    unready = asyncio.Event()
    with evenings(ROOM) as evening:
        async with evening.client() as client, evening.client() as balancer:
            fans = evening.fans(BUSY, client, ROOM.id)
            await asyncio.gather(*(fan.join() for fan in fans))
            charging = [charge_until(unready, fan) for fan in fans]
            rush = asyncio.gather(ask_until_closed(balancer, unready), *charging)
            code, took_ms = await stop_in_the_middle(evening, client)
            await rush
        evening.check()
        balances = evening.stored_balances(fans)

    assert client.cut == []
    assert (code, took_ms <= STOPS_WITHIN_MS) == (0, True)
    assert unexpected(calls(client.record, CHARGE), GRANTED) == []
    assert {answer.status for answer in balancer.record} == {200, 503}
    assert money_astray(client.record, opening=OPENING_BALANCE_WON, balances=balances) == []


async def test_who_does_not_go_by_readiness_is_told_the_truth_all_the_same(evenings: Evenings) -> None:
    with evenings(ROOM) as evening:
        async with evening.client() as client:
            fans = evening.fans(BUSY, client, ROOM.id)
            await asyncio.gather(*(fan.join() for fan in fans))
            rush = asyncio.gather(*(charge_until_closed(fan) for fan in fans))
            code, took_ms = await stop_in_the_middle(evening, client)
            await rush
        evening.check()
        balances = evening.stored_balances(fans)

    assert (code, took_ms <= STOPS_WITHIN_MS) == (0, True)
    assert unexpected(calls(client.record, CHARGE), GRANTED) == []
    assert money_astray(client.record, opening=OPENING_BALANCE_WON, balances=balances) == []


async def test_control_a_server_that_just_ends_is_found_out(evenings: Evenings) -> None:
    with evenings(ROOM) as evening:
        async with evening.client() as client:
            fans = evening.fans(BUSY, client, ROOM.id)
            await asyncio.gather(*(fan.join() for fan in fans))
            rush = asyncio.gather(*(charge_until_closed(fan) for fan in fans))
            await stop_in_the_middle(evening, client, SIGKILL)
            await rush

    assert client.cut != []
