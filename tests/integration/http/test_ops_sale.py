"""The operators' calls about the stop switch: what they do, what the audit says of it, and what is no position."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from stagedoor.adapters.sql.tables import performance
from stagedoor.operators.model import Role
from tests.builders.sale import NOON
from tests.integration.http.operated import House, an_open_house, data_of, lay_out, refusal_of

SALE = "/ops/api/sale"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("sale"))


def _a_show(connection: Connection) -> None:
    connection.execute(
        insert(performance).values(
            id=7,
            room_id="main",
            title="A show",
            venue="The cellar",
            starts_at=NOON,
            ends_at=NOON + 1,
            time_zone="Asia/Seoul",
        )
    )


@pytest.fixture
async def house(laid_out: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with an_open_house(laid_out, tmp_path) as opened:
        async with opened.file.writing() as transaction:
            await transaction.run(_a_show)
            await transaction.commit(proof=lambda _: False)
        yield opened


async def turn(house: House, **body: object) -> Any:  # noqa: ANN401 -- JSON
    return data_of(await house.client.post(SALE, json=body, headers=await house.key(Role.OPERATE)))


async def test_nothing_is_stopped_before_somebody_does(house: House) -> None:
    told = data_of(await house.client.get(SALE, headers=await house.key(Role.VIEW)))

    assert told == {"saleState": "OPEN", "schedules": []}


async def test_everything_and_one_performance(house: House) -> None:
    key = await house.key(Role.OPERATE)

    async def say(**body: object) -> Any:  # noqa: ANN401 -- JSON
        return data_of(await house.client.post(SALE, json=body, headers=key))

    assert await say(saleState="HOLDS_ONLY_FINISH") == {"saleState": "HOLDS_ONLY_FINISH", "schedules": []}
    both = {"saleState": "HOLDS_ONLY_FINISH", "schedules": [{"scheduleId": 7, "saleState": "STOPPED"}]}
    assert await say(saleState="STOPPED", scheduleId=7) == both
    assert data_of(await house.client.get(SALE, headers=key)) == both
    assert (await say(saleState="OPEN"))["saleState"] == "OPEN"
    assert await say(saleState="OPEN", scheduleId=7) == {"saleState": "OPEN", "schedules": []}


async def test_it_is_in_the_audit(house: House) -> None:
    await turn(house, saleState="STOPPED", scheduleId=7)

    assert await house.audit("sale.switch") == [
        ("key:a-operate", "performance:7", {"from": "open", "to": "stopped"}),
    ]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"saleState": "STOPPED", "scheduleId": 8}, (404, "404")),
        ({"saleState": "CLOSED"}, (400, "400")),
        ({"scheduleId": 7}, (400, "400")),
        ({"saleState": "STOPPED", "scheduleId": 0}, (400, "400")),
        ({"saleState": "STOPPED", "schedule": 7}, (400, "400")),
    ],
)
async def test_what_is_no_position_of_any_switch(
    house: House, body: dict[str, object], refusal: tuple[int, str]
) -> None:
    answer = await house.client.post(SALE, json=body, headers=await house.key(Role.OPERATE))

    assert refusal_of(answer) == refusal
    assert await house.audit("sale.switch") == []
