"""A commit that fails leaves nothing; one whose answer was lost is looked up, never repeated."""

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from stagedoor.adapters.sql import sale_writes
from stagedoor.checkout.commands import SaleCommand
from stagedoor.kernel.errors import Fault
from tests.builders.sale import ANN, BALANCE, a_key, charge, kinds, leave, pay, reserve
from tests.builders.store import House

BATCHES: dict[str, tuple[SaleCommand, ...]] = {
    "orders": (reserve(ANN, 1, hold_id=7), pay(ANN, hold_id=7)),
    "a charge": (charge(ANN),),
    "a key": (reserve(ANN, 2, 3, hold_id=8, key=a_key()),),
    "the end of a place": (leave(ANN),),
}


def the_next_commit(monkeypatch: pytest.MonkeyPatch, *, happens: bool) -> None:
    """Have the next commit give no answer; it *happens* all the same, or not."""
    commit = Connection.commit

    def without_an_answer(connection: Connection) -> None:
        monkeypatch.setattr(Connection, "commit", commit)
        if happens:
            connection.commit()
        raise OperationalError("COMMIT", None, Exception("disk I/O error"))

    monkeypatch.setattr(Connection, "commit", without_an_answer)


async def everything(house: House) -> tuple[object, ...]:
    return (
        await house.records.holds_of(ANN, limit=10),
        await house.records.orders_of(ANN, limit=10),
        await house.wallets.balance(ANN),
        await house.wallets.ledger(ANN, limit=10),
        await house.events(),
    )


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
class TestNoAnswer:
    async def test_if_it_happened_everybody_has_her_answer(
        self, house: House, monkeypatch: pytest.MonkeyPatch, batch: tuple[SaleCommand, ...]
    ) -> None:
        before = await everything(house)
        the_next_commit(monkeypatch, happens=True)

        outcomes = await house.batch(*batch)

        assert kinds(outcomes) == ["Settled"] * len(batch)
        assert await everything(house) != before
        assert house.wakes == (0 if await house.events() == [] else 1)
        await house.check()

    async def test_if_not_nothing_of_it_is_left(
        self, house: House, monkeypatch: pytest.MonkeyPatch, batch: tuple[SaleCommand, ...]
    ) -> None:
        before = await everything(house)
        the_next_commit(monkeypatch, happens=False)

        with pytest.raises(Fault):
            await house.batch(*batch)

        assert await everything(house) == before
        assert (house.changed, house.wakes) == ([], 0)
        await house.check()

    async def test_and_it_can_be_asked_for_again(
        self, house: House, monkeypatch: pytest.MonkeyPatch, batch: tuple[SaleCommand, ...]
    ) -> None:
        the_next_commit(monkeypatch, happens=False)
        with pytest.raises(Fault):
            await house.batch(*batch)

        assert kinds(await house.batch(*batch)) == ["Settled"] * len(batch)
        await house.check()

    async def test_control_with_a_proof_that_proves_nothing_she_is_told_a_lie(
        self, house: House, monkeypatch: pytest.MonkeyPatch, batch: tuple[SaleCommand, ...]
    ) -> None:
        before = await everything(house)
        monkeypatch.setattr(sale_writes, "is_stored", lambda _connection, _writes: True)
        the_next_commit(monkeypatch, happens=False)

        outcomes = await house.batch(*batch)

        assert kinds(outcomes) == ["Settled"] * len(batch)
        assert await everything(house) == before

    async def test_control_with_a_proof_that_denies_it_she_is_refused_what_she_has(
        self, house: House, monkeypatch: pytest.MonkeyPatch, batch: tuple[SaleCommand, ...]
    ) -> None:
        before = await everything(house)
        monkeypatch.setattr(sale_writes, "is_stored", lambda _connection, _writes: False)
        the_next_commit(monkeypatch, happens=True)

        with pytest.raises(Fault):
            await house.batch(*batch)

        assert await everything(house) != before


@pytest.mark.parametrize("step", ["_write_claims", "_write_orders", "_move_money", "store_events"])
async def test_a_write_that_fails_in_the_middle_leaves_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = await everything(house)

    def fails(*_arguments: object, **_named: object) -> None:
        raise OperationalError("INSERT", None, Exception("database or disk is full"))

    monkeypatch.setattr(sale_writes, step, fails)
    with pytest.raises(Fault):
        await house.batch(reserve(ANN, 1), pay(ANN))
    monkeypatch.undo()

    assert await everything(house) == before
    assert await house.wallets.balance(ANN) == BALANCE
    assert kinds(await house.batch(reserve(ANN, 1), pay(ANN))) == ["Settled", "Settled"]
    await house.check()
