"""Where time stands still: the way into the database through which nobody writes by time that does not count."""

from collections.abc import Callable
from typing import NamedTuple

from stagedoor.adapters.embedded.line_restore import credit_passes
from stagedoor.adapters.sql.clock_stop import GivenBack, SqlClockStop, no_line
from stagedoor.adapters.sql.credited_lanes import CreditedLanes, may_always
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.bootstrap.database import clock_watch
from stagedoor.kernel.clock import GAP_MS, Clock, ServiceClock
from stagedoor.kernel.followed_clock import FollowedClock
from stagedoor.resilience.breaker import BreakerEvent, CircuitBreaker, State, StateChanged
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.settings import Settings
from stagedoor.settings.units import milliseconds
from stagedoor.workers.clock_watch import ClockWatch


class Standstill(NamedTuple):
    """
    The service's *clock*, what stops it and gives back the time it stood, and *lanes* that wait for that.

    *clock_watch* keeps *machine_clock* where that is a server's, None where it is the machine's own.
    """

    machine_clock: Clock
    clock: ServiceClock
    clock_stop: SqlClockStop
    clock_watch: ClockWatch | None
    lanes: CreditedLanes


def standstill(
    settings: Settings, machine_clock: Clock, guarded: Lanes, breakers: Breakers, given_back: GivenBack
) -> Standstill:
    """Make them over the *guarded* way into the database; *given_back* hears of each outage that is over."""
    clock = ServiceClock(machine_clock)
    sale = breakers.of(Instance.SALE)
    # It asks by the same way as those who write: while that is given up for the moment, the clock can be trusted on.
    watch = clock_watch(machine_clock, guarded) if isinstance(machine_clock, FollowedClock) else None
    clock_stop = SqlClockStop(
        guarded,
        machine_clock,
        clock,
        credit_max_ms=milliseconds(settings.outage_credit_max_seconds),
        first_gap_ms=GAP_MS if settings.is_cluster else 1,
        for_broker=settings.kafka_bootstrap is not None,
        # Passes on Redis are credited there, once it is known that they have to be.
        credit_line=no_line if settings.is_cluster else credit_passes,
        given_back=given_back,
        out_of_use=lambda: _refuses(sale) or (watch is not None and not watch.is_sure),
    )
    breakers.subscribe(_at_a_change_of(sale.name, clock_stop.look), calls=False)
    lanes = CreditedLanes(guarded, clock_stop, refuse=may_always if watch is None else watch.refuse_unsure)
    return Standstill(machine_clock, clock, clock_stop, watch, lanes)


def _refuses(sale: CircuitBreaker) -> bool:
    # Not on trial: what a trial call writes is judged by the time at which other processes have gone on.
    return sale.refuses and sale.state is not State.HALF_OPEN


def _at_a_change_of(breaker: str, look: Callable[[], object]) -> Callable[[BreakerEvent], None]:
    def changed(event: BreakerEvent) -> None:
        if isinstance(event, StateChanged) and event.breaker == breaker:
            look()

    return changed
