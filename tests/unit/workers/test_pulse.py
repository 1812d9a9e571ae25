"""A sign of life is given as often as an outage is to be exact: by one process; the others give theirs now and then."""

from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.lease import Fence, Leadership
from stagedoor.workers.pulse import LATE_MS, RARELY_MS, Pulse
from tests.builders.sale import NOON

TICK_MS = 100


class Signs(Leadership):
    """The signs of life of one process, each with when it was given; none can be while *is_out*."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.given_at: list[int] = []
        self.leads = self.is_out = False
        self.pulse = Pulse(self._give, self.clock, leads=self)

    @property
    def fence(self) -> Fence | None:
        return Fence(1) if self.leads else None

    async def _give(self) -> int:
        if self.is_out:
            raise Fault("out")
        self.given_at.append(self.clock.now() - NOON)
        return 0

    async def go_on(self, ticks: int) -> None:
        for _ in range(ticks):
            self.clock.advance(TICK_MS)
            try:
                await self.pulse.tick()
            except Fault:
                continue


async def test_who_leads_gives_it_at_each_tick() -> None:
    signs = Signs()
    signs.leads = True

    await signs.go_on(4)

    assert signs.given_at == [100, 200, 300, 400]


async def test_another_gives_it_now_and_then_and_is_ready_all_the_time() -> None:
    assert RARELY_MS < LATE_MS
    signs = Signs()

    await signs.go_on(12)

    assert signs.given_at == [500, 1_000]
    assert signs.pulse.ready() == {"database": "ok"}


async def test_whoever_could_not_tries_at_each_tick() -> None:
    signs = Signs()
    signs.is_out = True
    await signs.go_on(7)

    signs.is_out = False
    await signs.go_on(1)

    assert signs.given_at == [800]


async def test_whoever_begins_to_lead_gives_it_at_the_next_tick() -> None:
    signs = Signs()
    await signs.go_on(6)

    signs.leads = True
    await signs.go_on(2)

    assert signs.given_at == [500, 700, 800]
