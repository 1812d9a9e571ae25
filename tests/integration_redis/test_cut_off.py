"""Whoever is cut off over a reserve: before her command nothing has happened, and behind it her hold stands."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from stagedoor.adapters.batching import Batcher
from stagedoor.checkout.commands import PlaceHold, SaleCommand
from stagedoor.checkout.outcomes import HoldReceipt, Outcome, Settled
from stagedoor.checkout.use_cases import RESERVING_MS, ReserveSeats
from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.clock import later
from stagedoor.kernel.ids import BuyerId, PerformanceId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.observability.unheard import hearing
from tests.builders.line import a_ref
from tests.integration_redis.lines import Process, Sleeping, Town

ANN = BuyerId(1)
HELD_MS = 300_000


class Sale:
    """Keeps whatever is asked for, in batches, as the real one does."""

    def __init__(self, process: Process) -> None:
        self._clock = process.line._clock  # noqa: SLF001 -- the store's time
        self.asked: list[SaleCommand] = []
        self.was_asked = asyncio.Event()
        self.when_asked: Callable[[], None] = lambda: None
        self.batcher = Batcher[SaleCommand, Outcome](self._settle, batch_max=8, waiting_max=8)
        self.reserve = ReserveSeats(
            line=process.line, settle=hearing(self.batcher), new_id=lambda: 7, clock=self._clock
        )

    async def _settle(self, commands: Sequence[SaleCommand]) -> Sequence[Outcome]:
        self.asked += commands
        self.when_asked()
        self.was_asked.set()
        return [self._kept(command) for command in commands]

    def _kept(self, command: SaleCommand) -> Settled:
        assert isinstance(command, PlaceHold)
        now = self._clock.now()
        return Settled(
            receipt=HoldReceipt(
                hold_id=command.hold_id,
                buyer_id=command.buyer_id,
                performance_id=command.performance_id,
                seat_ids=command.seat_ids,
                amount_won=Won(1),
                placed_at=now,
                expires_at=later(now, HELD_MS),
                answered_at=now,
            )
        )


@pytest.fixture
async def inside(town: Town) -> Process:
    """A process whose line has let Ann in."""
    process = town.start()
    await process.turn()
    assert await process.join(ANN) == [1]
    await process.turn()
    return process


def begin(sale: Sale) -> asyncio.Task[Settled]:
    """Begin a reserve in a task that is cut off like its caller's."""
    reserving = sale.reserve.reserve(
        ref=a_ref(1), buyer_id=ANN, performance_id=PerformanceId(1), seat_ids=[SeatId(1)], key=None
    )
    return asyncio.ensure_future(
        UnderWay().settle(lambda: reserving, buyer_id=ANN, call="reserve", key=None, may_be_cut_off=True)
    )


async def cut_off(reserving: asyncio.Task[Settled], process: Process, store: Sleeping) -> None:
    """Cut it off where it waits for the line's store, which then takes what was sent."""
    await store.reached.wait()
    reserving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reserving
    store.wake()
    await process.line.idle()


def known_of(process: Process) -> list[int]:
    """Return for how long from now each hold of hers keeps her pass, as this process knows it, in milliseconds."""
    replica = process.line._lines[process.room.id].replica  # noqa: SLF001 -- nobody tells
    assert replica is not None
    now = process.line._clock.now()  # noqa: SLF001 -- the store's time
    return [until - now for until in replica.state.passes[1].holds.values()]


async def test_cut_off_at_her_note_she_has_asked_the_sale_for_nothing_and_the_note_lapses(
    town: Town, inside: Process
) -> None:
    sale, store = Sale(inside), Sleeping(inside, "append")

    await cut_off(begin(sale), inside, store)

    other = town.start()
    await other.look(1)
    [told_ms] = known_of(other)
    assert (sale.asked, sale.batcher.waiting) == ([], 0)
    assert told_ms <= RESERVING_MS


async def test_cut_off_behind_her_command_her_hold_stands_and_the_others_hear_of_it(
    town: Town, inside: Process
) -> None:
    sale = Sale(inside)
    selling = asyncio.ensure_future(sale.batcher.run())
    stores: list[Sleeping] = []
    sale.when_asked = lambda: stores.append(Sleeping(inside, "append"))
    reserving = begin(sale)
    await sale.was_asked.wait()

    await cut_off(reserving, inside, stores[0])

    other = town.start()
    await other.look(1)
    [told_ms] = known_of(other)
    assert len(sale.asked) == 1
    assert told_ms > RESERVING_MS
    sale.batcher.close()
    await selling
