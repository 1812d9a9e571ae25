"""Whoever may be further off the database's clock than half a second refuses what has to be judged by it."""

from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from stagedoor.adapters.sql.credited_lanes import may_always
from stagedoor.kernel.clock import MINUTE_MS, SECOND_MS, Instant, ManualClock, later
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.followed_clock import UNSURE_MS, FollowedClock, Reading
from stagedoor.workers.clock_watch import ClockUnsure, ClockWatch

NOON = Instant(1_800_000_000_000)
DRIFTS_UNSURE_MS = 17 * MINUTE_MS


class Server:
    """A database server whose clock is *ahead_ms* ahead of ours, and whose answers take *takes_ms*."""

    def __init__(self, own: ManualClock) -> None:
        self._own = own
        self.ahead_ms = 0
        self.takes_ms = 0
        self.is_away = False

    async def read(self, clock: FollowedClock) -> None:
        """Ask it, and have *clock* go by what it says."""
        if self.is_away:
            raise Fault("nobody answers")
        asked_at = self._own.now()
        said = later(self._own.advance(self.takes_ms), self.ahead_ms)
        clock.read(Reading(asked_at, self._own.now(), said))


@pytest.fixture
def own() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def server(own: ManualClock) -> Server:
    return Server(own)


@pytest.fixture
def clock(own: ManualClock) -> FollowedClock:
    return FollowedClock(own)


@pytest.fixture
def watch(clock: FollowedClock, server: Server) -> ClockWatch:
    return ClockWatch(clock, server.read)


def is_refused(refuse: Callable[[], None]) -> bool:
    try:
        refuse()
    except ClockUnsure:
        return True
    return False


async def events_of(look: Callable[[], Awaitable[object]]) -> list[str]:
    with capture_logs() as logs:
        await look()
    return [line["event"] for line in logs]


def test_before_anybody_was_asked_everything_is_refused(watch: ClockWatch) -> None:
    with pytest.raises(ClockUnsure):
        watch.refuse_unsure()


async def test_nothing_is_refused_while_it_is_known_what_time_it_is(watch: ClockWatch, server: Server) -> None:
    server.ahead_ms = -MINUTE_MS

    await watch.look()

    assert not is_refused(watch.refuse_unsure)
    assert watch.ready() == {"clock": "ok"}


@pytest.mark.parametrize(("takes_ms", "refused"), [(2 * (UNSURE_MS - 1), False), (2 * UNSURE_MS, True)])
async def test_half_a_second_is_the_most(watch: ClockWatch, server: Server, takes_ms: int, *, refused: bool) -> None:
    server.takes_ms = takes_ms

    await watch.look()

    assert is_refused(watch.refuse_unsure) is refused
    assert (watch.ready()["clock"] == "ok") is not refused


async def test_what_is_refused_can_be_asked_again(watch: ClockWatch) -> None:
    with pytest.raises(ClockUnsure, match="inf ms off the database's, 500 ms are the most") as refused:
        watch.refuse_unsure()

    assert refused.value.retry_after_ms == SECOND_MS


async def test_a_server_that_was_set_back_is_waited_for_and_then_served_again(
    watch: ClockWatch, server: Server, clock: FollowedClock, own: ManualClock
) -> None:
    await watch.look()
    before = clock.now()
    server.ahead_ms = -MINUTE_MS

    await watch.look()

    assert is_refused(watch.refuse_unsure)
    assert watch.ready() == {"clock": "may be 60001 ms off the database's, 500 ms are the most"}
    own.advance(MINUTE_MS)
    await watch.look()
    assert not is_refused(watch.refuse_unsure)
    assert clock.now() == before


async def test_while_nobody_answers_it_grows_unsure(watch: ClockWatch, server: Server, own: ManualClock) -> None:
    await watch.look()
    server.is_away = True

    own.advance(DRIFTS_UNSURE_MS)
    with pytest.raises(Fault):
        await watch.look()

    assert is_refused(watch.refuse_unsure)
    server.is_away = False
    await watch.look()
    assert not is_refused(watch.refuse_unsure)


async def test_that_it_came_and_went_is_logged_once(
    watch: ClockWatch, server: Server, clock: FollowedClock, own: ManualClock
) -> None:
    at_first = await events_of(watch.look)
    clock.now()
    server.ahead_ms = -MINUTE_MS
    when_set_back = [await events_of(watch.look), await events_of(watch.look)]
    own.advance(MINUTE_MS)
    later_on = [await events_of(watch.look), await events_of(watch.look)]

    assert at_first == []
    assert when_set_back == [["clock.unsure"], []]
    assert later_on == [["clock.sure_again"], []]


def test_a_machines_own_clock_refuses_nobody() -> None:
    assert not is_refused(may_always)
