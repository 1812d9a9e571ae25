"""What a breaker can be told, in Resilience4j's words and with its defaults; the impossible is refused by name."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from stagedoor.resilience.breaker.states import State


class SlidingWindowType(Enum):
    """What a window keeps: the last calls, or the calls of the last seconds."""

    COUNT_BASED = "COUNT_BASED"
    TIME_BASED = "TIME_BASED"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """
    The settings of one breaker. The defaults are those of Resilience4j 2.3.0.

    *sliding_window_size* counts calls or, TIME_BASED, whole seconds; a COUNT_BASED
    window lowers *minimum_number_of_calls* to its own size. Thresholds are percentages
    and are reached at equality; a call is slow when it took longer than
    *slow_call_duration_threshold_ms*, not when it took just as long.
    *permitted_number_of_calls_in_half_open_state* is a total for one stay in HALF_OPEN,
    not a number at a time. *max_wait_duration_in_half_open_state_ms* 0 means for ever.

    Raises `ValueError` that names the field and its value.
    """

    sliding_window_type: SlidingWindowType = SlidingWindowType.COUNT_BASED
    sliding_window_size: int = 100
    minimum_number_of_calls: int = 100
    failure_rate_threshold_percent: float = 50
    slow_call_rate_threshold_percent: float = 100
    slow_call_duration_threshold_ms: int = 60_000
    wait_duration_in_open_state_ms: int = 60_000
    permitted_number_of_calls_in_half_open_state: int = 10
    automatic_transition_from_open_to_half_open_enabled: bool = False
    max_wait_duration_in_half_open_state_ms: int = 0
    transition_to_state_after_wait_duration: State = State.OPEN

    def __post_init__(self) -> None:
        """Refuse what no breaker can work with."""
        if not isinstance(self.sliding_window_type, SlidingWindowType):
            raise _impossible("sliding_window_type", "COUNT_BASED or TIME_BASED", self.sliding_window_type)
        _whole("sliding_window_size", self.sliding_window_size, least=1)
        _whole("minimum_number_of_calls", self.minimum_number_of_calls, least=1)
        _percentage("failure_rate_threshold_percent", self.failure_rate_threshold_percent)
        _percentage("slow_call_rate_threshold_percent", self.slow_call_rate_threshold_percent)
        _whole("slow_call_duration_threshold_ms", self.slow_call_duration_threshold_ms, least=1)
        _whole("wait_duration_in_open_state_ms", self.wait_duration_in_open_state_ms, least=1)
        _whole(
            "permitted_number_of_calls_in_half_open_state", self.permitted_number_of_calls_in_half_open_state, least=1
        )
        if not isinstance(self.automatic_transition_from_open_to_half_open_enabled, bool):
            raise _impossible(
                "automatic_transition_from_open_to_half_open_enabled",
                "true or false",
                self.automatic_transition_from_open_to_half_open_enabled,
            )
        _whole("max_wait_duration_in_half_open_state_ms", self.max_wait_duration_in_half_open_state_ms, least=0)
        if self.transition_to_state_after_wait_duration not in {State.OPEN, State.CLOSED}:
            raise _impossible(
                "transition_to_state_after_wait_duration",
                "OPEN or CLOSED",
                self.transition_to_state_after_wait_duration,
            )


def _whole(field: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _impossible(field, f"a whole number of at least {least}", value)


def _percentage(field: str, value: object) -> None:
    # Said as "not inside", so that NaN, which compares false with everything, is refused too.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 100:  # noqa: PLR2004
        raise _impossible(field, "above 0 and at most 100", value)


def _impossible(field: str, wanted: str, value: object) -> ValueError:
    said = value.name if isinstance(value, Enum) else repr(value)
    return ValueError(f"{field} must be {wanted}, not {said}")


ON_SALE: Final = BreakerSettings(
    sliding_window_type=SlidingWindowType.COUNT_BASED,
    sliding_window_size=100,
    minimum_number_of_calls=50,
    failure_rate_threshold_percent=50,
    wait_duration_in_open_state_ms=30_000,
    permitted_number_of_calls_in_half_open_state=10,
)
"""The six values of the load-test report that this engine answers; every breaker's default here."""
