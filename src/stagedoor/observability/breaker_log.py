"""What a breaker's log lines say: each change of state, with the rates that caused it."""

import structlog

from stagedoor.resilience.breaker import NO_RATE, BreakerEvent, State, StateChanged

log = structlog.get_logger(__name__)

_STOPS_CALLS = frozenset({State.OPEN, State.FORCED_OPEN})


def log_breaker(event: BreakerEvent) -> None:
    """Log a change of state; what the single calls did is in the metrics. Rates below the minimum are left out."""
    if not isinstance(event, StateChanged):
        return
    rates = {
        name: round(rate, 1)
        for name, rate in (("failure_rate", event.failure_rate), ("slow_call_rate", event.slow_call_rate))
        if rate != NO_RATE
    }
    tell = log.warning if event.entered in _STOPS_CALLS else log.info
    tell(
        "breaker.changed",
        breaker=event.breaker,
        left=event.left.value,
        entered=event.entered.value,
        cause=event.cause.value,
        **rates,
    )
