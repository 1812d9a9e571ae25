"""The operators' calls about breakers: how each stands in every process of this command, and a hand on them."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import get, post
from litestar.params import FromPath
from litestar.types import Scope

from stagedoor.http.answer import Answer, Cache, success
from stagedoor.http.call import call_of
from stagedoor.http.contract import Entry, Needs
from stagedoor.http.ops_desk import Desk, OpsDesk, actor_of, opt_of, refusals, settled
from stagedoor.http.ops_wire import BreakerCard, BreakerSettingsCard, SteeredCard
from stagedoor.http.problems import NO_BREAKER
from stagedoor.operators.model import Role
from stagedoor.operators.steering import BreakerOrder, obey
from stagedoor.resilience.breaker import NO_RATE, CircuitBreaker, State
from stagedoor.resilience.breakers import Breakers

ABOUT_BREAKERS: Final = b"breakers"
"""The word by which the processes of a command ask each other."""

_BREAKER: Any = {
    "name": "saleService",
    "state": "CLOSED",
    "failureRate": 4.0,
    "slowCallRate": 0.0,
    "bufferedCalls": 100,
    "failedCalls": 4,
    "slowCalls": 0,
    "slowFailedCalls": 0,
    "notPermittedCalls": 0,
    "retryAfterMs": 0,
    "settings": {
        "slidingWindowType": "COUNT_BASED",
        "slidingWindowSize": 100,
        "minimumNumberOfCalls": 50,
        "failureRateThreshold": 50.0,
        "slowCallRateThreshold": 100.0,
        "slowCallDurationThresholdMs": 60_000,
        "waitDurationInOpenStateMs": 30_000,
        "permittedNumberOfCallsInHalfOpenState": 10,
        "maxWaitDurationInHalfOpenStateMs": 0,
        "transitionToStateAfterWaitDuration": "OPEN",
        "automaticTransitionFromOpenToHalfOpenEnabled": False,
    },
}


def _steered(state: str) -> dict[str, Any]:
    nothing = {"failureRate": None, "slowCallRate": None, "bufferedCalls": 0, "failedCalls": 0}
    return {**_BREAKER, **nothing, "state": state, "audited": True}


def _opt(summary: str, state: str) -> dict[str, Any]:
    return opt_of(
        Entry(
            tag="ops",
            summary=summary,
            needs=Needs.OPERATOR,
            refusals=refusals(NO_BREAKER),
            example=_steered(state),
        ),
        Role.OPERATE,
    )


@get(
    "/breakers",
    opt=opt_of(
        Entry(
            tag="ops",
            summary="Every breaker",
            needs=Needs.OPERATOR,
            refusals=refusals(),
            quiet=True,
            example=[_BREAKER],
        ),
        Role.VIEW,
    ),
)
async def list_breakers(scope: Scope, desk: Desk) -> Answer[list[BreakerCard]]:
    """Show every breaker: each process has its own, and sees the world from there. Another command's are not shown."""
    fleet = call_of(scope).services.fleet
    cards = _cards(desk.steer_breakers.breakers)
    if fleet is None:
        return success(cards, Cache.NOBODY)
    by_process = {fleet.number: cards}
    for process, told in (await fleet.ask_others(ABOUT_BREAKERS)).items():
        by_process[process] = _told(told)
    for process, of_one in by_process.items():
        for card in of_one:
            card.process = process
    return success([card for _, of_one in sorted(by_process.items()) for card in of_one], Cache.NOBODY)


@post("/breakers/{name:str}/force-open", status_code=200, opt=_opt("Force a breaker open", "FORCED_OPEN"))
async def force_breaker_open(name: FromPath[str], scope: Scope, desk: Desk) -> Answer[SteeredCard]:
    """Let no call through until another order comes: 503 for all that the breaker guards."""
    return await _steer(name, BreakerOrder.FORCE_OPEN, scope, desk)


@post("/breakers/{name:str}/close", status_code=200, opt=_opt("Close a breaker", "CLOSED"))
async def close_breaker(name: FromPath[str], scope: Scope, desk: Desk) -> Answer[SteeredCard]:
    """Let every call through and count from nothing; it opens again by itself if they fail."""
    return await _steer(name, BreakerOrder.CLOSE, scope, desk)


@post("/breakers/{name:str}/disable", status_code=200, opt=_opt("Disable a breaker", "DISABLED"))
async def disable_breaker(name: FromPath[str], scope: Scope, desk: Desk) -> Answer[SteeredCard]:
    """Let every call through and never open, until another order comes. Nothing is counted meanwhile."""
    return await _steer(name, BreakerOrder.DISABLE, scope, desk)


@post("/breakers/{name:str}/reset", status_code=200, opt=_opt("Reset a breaker", "CLOSED"))
async def reset_breaker(name: FromPath[str], scope: Scope, desk: Desk) -> Answer[SteeredCard]:
    """Begin afresh, as at the start of the process."""
    return await _steer(name, BreakerOrder.RESET, scope, desk)


async def _steer(name: str, order: BreakerOrder, scope: Scope, desk: OpsDesk) -> Answer[SteeredCard]:
    call = call_of(scope)
    return success(await settled(call, _steer_all(name, order, scope, desk)), Cache.NOBODY)


async def _steer_all(name: str, order: BreakerOrder, scope: Scope, desk: OpsDesk) -> SteeredCard:
    """Carry it out here and in every other process, also when whoever gave the order waits no more."""
    fleet = call_of(scope).services.fleet
    steering = desk.steer_breakers.steer(name, order, actor=actor_of(scope))
    # What is refused here must not be obeyed elsewhere.
    if fleet is None or desk.steer_breakers.breakers.find(name) is None:
        steered = await steering
        return SteeredCard(**_figures(steered.breaker), audited=steered.audited)
    # At once, not behind the audit: of two orders that come here all processes are to end in the state of the same one.
    question = b"%b %b %b" % (ABOUT_BREAKERS, order.value.encode(), name.encode())
    steered, told = await asyncio.gather(steering, fleet.ask_others(question))
    card = SteeredCard(**_figures(steered.breaker), audited=steered.audited)
    card.process = fleet.number
    card.processes = sorted([fleet.number, *(process for process, cards in told.items() if _told(cards))])
    return card


def answer_mate(breakers: Breakers, order: bytes) -> bytes:
    """
    Return how the breakers stand, for another process of this command.

    *order* is what that one was told to do, and sees to the audit of: a `BreakerOrder` and the
    breaker's name, or nothing.
    """
    if order:
        word, _, name = order.decode().partition(" ")
        if (breaker := breakers.find(name)) is None:
            return b""
        obey(breaker, BreakerOrder(word))
    return msgspec.json.encode(_cards(breakers))


def _told(cards: bytes | None) -> list[BreakerCard]:
    try:
        return msgspec.json.decode(cards or b"[]", type=list[BreakerCard])
    except msgspec.DecodeError:
        # It was cut off: its process has ended in the middle of it.
        return []


def _cards(breakers: Breakers) -> list[BreakerCard]:
    return [BreakerCard(**_figures(breaker)) for breaker in breakers.all()]


def _figures(breaker: CircuitBreaker) -> dict[str, Any]:
    now, settings = breaker.snapshot(), breaker.settings
    return {
        "name": breaker.name,
        "state": now.state.name,
        "failure_rate": _rate(now.failure_rate),
        "slow_call_rate": _rate(now.slow_call_rate),
        "buffered_calls": now.buffered_calls,
        "failed_calls": now.failed_calls,
        "slow_calls": now.slow_calls,
        "slow_failed_calls": now.slow_failed_calls,
        "not_permitted_calls": now.not_permitted_calls,
        "retry_after_ms": now.retry_after_ms,
        "settings": BreakerSettingsCard(
            sliding_window_type=settings.sliding_window_type.value,
            sliding_window_size=settings.sliding_window_size,
            minimum_number_of_calls=settings.minimum_number_of_calls,
            failure_rate_threshold=settings.failure_rate_threshold_percent,
            slow_call_rate_threshold=settings.slow_call_rate_threshold_percent,
            slow_call_duration_threshold_ms=settings.slow_call_duration_threshold_ms,
            wait_duration_in_open_state_ms=settings.wait_duration_in_open_state_ms,
            permitted_number_of_calls_in_half_open_state=settings.permitted_number_of_calls_in_half_open_state,
            max_wait_duration_in_half_open_state_ms=settings.max_wait_duration_in_half_open_state_ms,
            transition_to_state_after_wait_duration=(
                "CLOSED" if settings.transition_to_state_after_wait_duration is State.CLOSED else "OPEN"
            ),
            automatic_transition_from_open_to_half_open_enabled=(
                settings.automatic_transition_from_open_to_half_open_enabled
            ),
        ),
    }


def _rate(rate: float) -> float | None:
    return None if rate == NO_RATE else rate
