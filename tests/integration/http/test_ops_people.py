"""The operators' calls about places, wallets and members: what changes, and what the audit says of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from stagedoor.adapters.sql.tables import closed_place, transfer
from stagedoor.operators.model import Role
from tests.integration.http.operated import House, an_open_house, data_of, lay_out, refusal_of


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("ops"))


@pytest.fixture
async def house(laid_out: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with an_open_house(laid_out, tmp_path) as opened:
        yield opened


class TestPlaces:
    async def revoke(self, house: House, number: int) -> httpx.Response:
        if not await house.keys.all():
            self.authorization = await house.key(Role.OPERATE)
        body = {"room": "main", "number": number}
        return await house.client.post("/ops/api/places/revoke", json=body, headers=self.authorization)

    async def test_a_place_taken_away_is_none_to_its_buyer(self, house: House) -> None:
        place = await house.join(42)
        assert (await house.check(place)).status_code == 200

        revoked = data_of(await self.revoke(house, place.ref.number))

        assert revoked == {"room": "main", "number": place.ref.number, "userId": 42, "status": "REVOKED"}
        assert refusal_of(await house.check(place)) == (401, "401")
        [(actor, subject, _)] = await house.audit("place.revoke")
        assert (actor, subject) == ("key:a-operate", f"place:main/{place.ref.number}")

    async def test_its_buyer_may_line_up_again(self, house: House) -> None:
        place = await house.join(42)
        await self.revoke(house, place.ref.number)

        again = await house.join(42)

        assert again.ref.number > place.ref.number
        assert (await house.check(again)).status_code == 200

    async def test_it_takes_no_more_holds(self, house: House) -> None:
        place = await house.join(42)
        await self.revoke(house, place.ref.number)

        closed = await house.file.reading(lambda c: c.execute(select(closed_place.c.place_number)).scalars().all())
        assert closed == [place.ref.number]

    async def test_twice_is_harmless(self, house: House) -> None:
        place = await house.join(42)

        first = data_of(await self.revoke(house, place.ref.number))
        again = data_of(await self.revoke(house, place.ref.number))

        assert first == again

    async def test_one_that_is_none_is_not_found(self, house: House) -> None:
        assert refusal_of(await self.revoke(house, 8)) == (404, "404")


class TestWallets:
    async def credit(
        self, house: House, amount: object, *, key: str | None = "one", buyer: str = "42"
    ) -> httpx.Response:
        if not await house.keys.all():
            self.authorization = await house.key(Role.MONEY)
        headers = self.authorization if key is None else {**self.authorization, "idempotency-key": key}
        return await house.client.post(f"/ops/api/wallets/{buyer}/credit", json={"amount": amount}, headers=headers)

    async def test_once_for_each_key(self, house: House) -> None:
        first = await self.credit(house, 500)
        again = await self.credit(house, 500)

        assert data_of(first) == data_of(again) == {"amount": 1_500}
        assert "idempotent-replay" not in first.headers
        assert again.headers["idempotent-replay"] == "true"
        assert refusal_of(await self.credit(house, 501)) == (422, "422")
        assert data_of(await self.credit(house, 500, key="two")) == {"amount": 2_000}
        assert len(await house.file.reading(lambda c: c.execute(select(transfer)).all())) == 2

    async def test_the_audit_says_who(self, house: House) -> None:
        await self.credit(house, 500)
        await self.credit(house, 500)

        [(actor, subject, detail)] = await house.audit("wallet.credit")
        assert (actor, subject, detail["amount_won"]) == ("key:a-money", "wallet:42", 500)

    async def test_a_key_is_required(self, house: House) -> None:
        answer = await self.credit(house, 500, key=None)

        assert refusal_of(answer) == (400, "400")
        assert answer.json()["exception"]["details"][0]["field"] == "Idempotency-Key"

    async def test_who_is_nobody_gets_nothing(self, house: House) -> None:
        assert refusal_of(await self.credit(house, 500, buyer="43")) == (404, "404")
        for buyer in ("0", "x", "-1", str(2**53)):
            assert refusal_of(await self.credit(house, 500, buyer=buyer)) == (400, "400")

    @pytest.mark.parametrize("amount", [0, -1, 10_000_001, 1.5, "500", True, None])
    async def test_an_amount_that_is_none(self, house: House, amount: object) -> None:
        assert refusal_of(await self.credit(house, amount)) == (400, "400")


class TestMembers:
    async def test_a_row_of_them_and_some(self, house: House) -> None:
        key = await house.key(Role.OPERATE)

        row = data_of(await house.client.post("/ops/api/members", json={"from": 40, "count": 5}, headers=key))
        some = data_of(await house.client.post("/ops/api/members", json={"ids": [44, 45, 45]}, headers=key))

        assert row == {"added": 4, "known": 1}
        assert some == {"added": 1, "known": 1}
        assert [detail["added"] for _, _, detail in await house.audit("members.add")] == [4, 1]

    @pytest.mark.parametrize(
        ("sent", "field"),
        [
            ({}, "from"),
            ({"from": 1}, "count"),
            ({"count": 1}, "from"),
            ({"ids": []}, "ids"),
            ({"ids": [0]}, "ids[0]"),
            ({"ids": [1], "from": 1, "count": 1}, "ids"),
            ({"from": 1, "count": 10_001}, "count"),
            ({"from": 2**53 - 1, "count": 2}, "count"),
            ({"form": 1, "count": 2}, "body"),
        ],
    )
    async def test_what_names_nobody_is_refused(self, house: House, sent: object, field: str) -> None:
        answer = await house.client.post("/ops/api/members", json=sent, headers=await house.key(Role.OPERATE))

        assert refusal_of(answer) == (400, "400")
        assert answer.json()["exception"]["details"][0]["field"].startswith(field)
