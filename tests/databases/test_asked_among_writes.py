"""What nobody can write without is asked where writes go, whatever becomes of reads."""

import pytest

from stagedoor.adapters.guarding import GuardedLanes
from stagedoor.adapters.sql.line_record import SqlLineRecord
from stagedoor.adapters.sql.server_clock import read_clock
from stagedoor.adapters.sql.server_lanes import ServerLanes
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.followed_clock import FollowedClock
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.resilience.breaker import CallNotPermitted, State
from tests.builders.guards import a_breaker


async def test_the_time_and_the_epoch_are_asked_where_writes_go(lanes: ServerLanes) -> None:
    await SqlLineRecord(lanes).open(MAIN_ROOM, server="redis", held_epoch=None, lost_epoch=None)
    now = ManualClock(Instant(0))
    writes, reads = a_breaker(now, name="database"), a_breaker(now, name="databaseReads")
    guarded = GuardedLanes(lanes, writes=writes, reads=reads)
    clock, record = FollowedClock(now), SqlLineRecord(guarded)

    reads.transition_to(State.FORCED_OPEN)
    await read_clock(guarded, clock)
    await record.confirm(MAIN_ROOM, epoch=1)
    assert clock.is_sure

    writes.transition_to(State.FORCED_OPEN)
    for question in (read_clock(guarded, clock), record.confirm(MAIN_ROOM, epoch=1)):
        with pytest.raises(CallNotPermitted):
            await question
