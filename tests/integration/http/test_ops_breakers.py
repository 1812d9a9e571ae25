"""The operators' calls about breakers: what they show, what they do, and what the audit says of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from stagedoor.http.ops_breakers import answer_mate
from stagedoor.http.services import Mates
from stagedoor.kernel.errors import Fault
from stagedoor.operators.model import Role
from stagedoor.resilience.breaker import BreakerSettings, CircuitBreaker, State
from stagedoor.resilience.breakers import Breakers, Instance
from tests.integration.http.operated import House, an_open_house, data_of, lay_out, refusal_of

SALE = "/ops/api/breakers/saleService"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("breakers"))


@pytest.fixture
async def house(laid_out: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with an_open_house(laid_out, tmp_path) as opened:
        yield opened


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.record_error(breaker.acquire(), 1, Fault("gone"))


async def steer(house: House, order: str, path: str = SALE) -> dict[str, object]:
    data: dict[str, object] = data_of(await house.client.post(f"{path}/{order}", headers=await house.key(Role.OPERATE)))
    return data


async def test_every_breaker_with_its_numbers_and_settings(house: House) -> None:
    sale = house.breakers.of(Instance.SALE)
    fail(sale, 49)
    sale.record_success(sale.acquire(), 61_000_000_000)

    told = data_of(await house.client.get("/ops/api/breakers", headers=await house.key(Role.VIEW)))

    assert [card["name"] for card in told] == ["saleService", "database", "databaseReads"]
    assert told[0] == {
        "name": "saleService",
        "state": "OPEN",
        "failureRate": 98.0,
        "slowCallRate": 2.0,
        "bufferedCalls": 50,
        "failedCalls": 49,
        "slowCalls": 1,
        "slowFailedCalls": 0,
        "notPermittedCalls": 0,
        "retryAfterMs": 29_001,
        "settings": {
            "slidingWindowType": "COUNT_BASED",
            "slidingWindowSize": 100,
            "minimumNumberOfCalls": 50,
            "failureRateThreshold": 50,
            "slowCallRateThreshold": 100,
            "slowCallDurationThresholdMs": 60_000,
            "waitDurationInOpenStateMs": 30_000,
            "permittedNumberOfCallsInHalfOpenState": 10,
            "maxWaitDurationInHalfOpenStateMs": 0,
            "transitionToStateAfterWaitDuration": "OPEN",
            "automaticTransitionFromOpenToHalfOpenEnabled": False,
        },
    }
    assert (told[1]["failureRate"], told[1]["state"], told[1]["retryAfterMs"]) == (None, "CLOSED", 0)
    assert len(told[0]["settings"]) == len(fields(BreakerSettings))


@pytest.mark.parametrize(
    ("order", "entered"),
    [("force-open", "FORCED_OPEN"), ("close", "CLOSED"), ("disable", "DISABLED"), ("reset", "CLOSED")],
)
async def test_an_order_takes_effect_and_is_audited(house: House, order: str, entered: str) -> None:
    fail(house.breakers.of(Instance.SALE), 50)

    told = await steer(house, order)

    assert (told["name"], told["state"], told["audited"]) == ("saleService", entered, True)
    assert house.breakers.of(Instance.SALE).state is State[entered]
    assert await house.audit(f"breaker.{order.replace('-', '_')}") == [
        (
            "key:a-operate",
            "breaker:saleService",
            {"left": "open", "entered": entered.lower(), "failure_rate": 100.0, "slow_call_rate": 0.0},
        )
    ]


async def test_the_database_itself_forced_open_and_closed_again(house: House) -> None:
    key = await house.key(Role.OPERATE)
    path = "/ops/api/breakers/database"

    shut = data_of(await house.client.post(f"{path}/force-open", headers=key))
    unwritten = await house.audit("breaker.force_open")
    opened = data_of(await house.client.post(f"{path}/close", headers=key))

    assert (shut["state"], shut["audited"], unwritten) == ("FORCED_OPEN", False, [])
    assert (opened["state"], opened["audited"]) == ("CLOSED", True)
    records = await house.audit("breaker.force_open") + await house.audit("breaker.close")
    assert [(actor, subject) for actor, subject, _ in records] == [("key:a-operate", "breaker:database")] * 2


async def test_what_is_owed_is_written_by_the_next_settling(house: House) -> None:
    key = await house.key(Role.OPERATE)
    await house.client.post("/ops/api/breakers/database/force-open", headers=key)
    with pytest.raises(Fault):
        await house.pen.settle()
    house.breakers.of(Instance.DATABASE).reset()

    written = await house.pen.settle()

    assert (written, await house.pen.settle()) == (1, 0)
    assert len(await house.audit("breaker.force_open")) == 1


async def test_an_order_is_answered_in_time_while_the_database_hangs_and_audited_once_it_does_not(
    laid_out: Path, tmp_path: Path
) -> None:
    others = TwoOthers()
    async with an_open_house(laid_out, tmp_path, fleet=others) as house:
        key = await house.key(Role.OPERATE)
        in_time = key | {"stagedoor-deadline-ms": "1200"}
        async with house.file.writing():
            shut = data_of(await house.client.post(f"{SALE}/force-open", headers=in_time))
            unwritten = await house.audit("breaker.force_open")
        await house.pen.settle()
        written = await house.audit("breaker.force_open")

    assert (shut["state"], shut["audited"], shut["processes"]) == ("FORCED_OPEN", False, [1, 2])
    assert others.breakers.of(Instance.SALE).state is State.FORCED_OPEN
    assert (len(unwritten), len(written)) == (0, 1)


async def test_of_two_orders_while_the_database_hangs_every_process_ends_in_the_state_of_the_last(
    laid_out: Path, tmp_path: Path
) -> None:
    others, obeyed = TwoOthers(), asyncio.Event()
    async with an_open_house(laid_out, tmp_path, fleet=others) as house:
        key, sale = await house.key(Role.OPERATE), house.breakers.of(Instance.SALE)
        sale.subscribe(lambda _: obeyed.set())

        async def order(word: str, *, deadline_ms: int) -> None:
            headers = key | {"stagedoor-deadline-ms": str(deadline_ms)}
            data_of(await house.client.post(f"{SALE}/{word}", headers=headers))

        async with house.file.writing():
            # Who waits longer for her entry comes first.
            first = asyncio.ensure_future(order("force-open", deadline_ms=10_000))
            await obeyed.wait()
            await asyncio.gather(first, order("close", deadline_ms=1_200))

    assert (sale.state, others.breakers.of(Instance.SALE).state) == (State.CLOSED, State.CLOSED)


@pytest.mark.parametrize("name", ["nothing", "kafka", "SALESERVICE"])
async def test_a_breaker_that_is_not_there(house: House, name: str) -> None:
    answer = await house.client.post(f"/ops/api/breakers/{name}/close", headers=await house.key(Role.OPERATE))

    assert refusal_of(answer) == (404, "404")
    assert await house.audit("breaker.close") == []


class TwoOthers(Mates):
    """Two other processes of the command: one tells *so_many_bytes* of its answer, one nothing."""

    def __init__(self, so_many_bytes: int | None = None) -> None:
        self.asked: list[bytes] = []
        self.so_many_bytes = so_many_bytes
        self.breakers = Breakers({}, now_ns=lambda: 0)
        self.breakers.of(Instance.SALE)

    @property
    def number(self) -> int:
        return 2

    async def ask_others(self, question: bytes) -> Mapping[int, bytes | None]:
        self.asked.append(question)
        _, _, order = question.partition(b" ")
        return {1: answer_mate(self.breakers, order)[: self.so_many_bytes], 3: None}


async def test_where_several_processes_serve_all_are_shown_and_all_obey(laid_out: Path, tmp_path: Path) -> None:
    others = TwoOthers()
    async with an_open_house(laid_out, tmp_path, fleet=others) as house:
        key = await house.key(Role.OPERATE)

        steered = data_of(await house.client.post(f"{SALE}/force-open", headers=key))
        shown = data_of(await house.client.get("/ops/api/breakers", headers=key))
        audited = await house.audit("breaker.force_open")

    assert (steered["state"], steered["process"], steered["processes"]) == ("FORCED_OPEN", 2, [1, 2])
    assert others.breakers.of(Instance.SALE).state is State.FORCED_OPEN
    assert [(card["process"], card["name"], card["state"]) for card in shown] == [
        (1, "saleService", "FORCED_OPEN"),
        (2, "saleService", "FORCED_OPEN"),
        (2, "database", "CLOSED"),
        (2, "databaseReads", "CLOSED"),
    ]
    assert len(audited) == 1
    assert others.asked == [b"breakers force_open saleService", b"breakers"]


async def test_an_answer_that_was_cut_off_is_none(laid_out: Path, tmp_path: Path) -> None:
    async with an_open_house(laid_out, tmp_path, fleet=TwoOthers(so_many_bytes=20)) as house:
        steered = await steer(house, "reset")

    assert steered["processes"] == [2]
