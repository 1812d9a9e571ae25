import dataclasses
from dataclasses import replace

import pytest

from stagedoor.resilience.breaker import ON_SALE, BreakerSettings, SlidingWindowType, State


def test_the_defaults_are_those_of_resilience4j() -> None:
    assert dataclasses.asdict(BreakerSettings()) == {
        "sliding_window_type": SlidingWindowType.COUNT_BASED,
        "sliding_window_size": 100,
        "minimum_number_of_calls": 100,
        "failure_rate_threshold_percent": 50,
        "slow_call_rate_threshold_percent": 100,
        "slow_call_duration_threshold_ms": 60_000,
        "wait_duration_in_open_state_ms": 60_000,
        "permitted_number_of_calls_in_half_open_state": 10,
        "automatic_transition_from_open_to_half_open_enabled": False,
        "max_wait_duration_in_half_open_state_ms": 0,
        "transition_to_state_after_wait_duration": State.OPEN,
    }


def test_the_on_sale_defaults_are_the_six_of_the_report() -> None:
    assert (
        replace(
            BreakerSettings(),
            sliding_window_type=SlidingWindowType.COUNT_BASED,
            sliding_window_size=100,
            minimum_number_of_calls=50,
            failure_rate_threshold_percent=50,
            wait_duration_in_open_state_ms=30_000,
            permitted_number_of_calls_in_half_open_state=10,
        )
        == ON_SALE
    )


def test_settings_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ON_SALE.sliding_window_size = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "impossible"),
    [
        ("sliding_window_type", "COUNT_BASED"),
        ("sliding_window_size", 0),
        ("sliding_window_size", -1),
        ("sliding_window_size", 10.0),
        ("sliding_window_size", True),
        ("minimum_number_of_calls", 0),
        ("failure_rate_threshold_percent", 0),
        ("failure_rate_threshold_percent", 100.1),
        ("failure_rate_threshold_percent", float("nan")),
        ("failure_rate_threshold_percent", "50"),
        ("slow_call_rate_threshold_percent", 0),
        ("slow_call_rate_threshold_percent", 101),
        ("slow_call_duration_threshold_ms", 0),
        ("wait_duration_in_open_state_ms", 0),
        ("wait_duration_in_open_state_ms", "30s"),
        ("permitted_number_of_calls_in_half_open_state", 0),
        ("automatic_transition_from_open_to_half_open_enabled", 1),
        ("max_wait_duration_in_half_open_state_ms", -1),
        ("transition_to_state_after_wait_duration", State.HALF_OPEN),
        ("transition_to_state_after_wait_duration", State.FORCED_OPEN),
    ],
)
def test_an_impossible_value_is_refused_by_name(field: str, impossible: object) -> None:
    said = impossible.name if isinstance(impossible, State) else repr(impossible)

    with pytest.raises(ValueError, match=rf"^{field} must be .*, not {said}$"):
        BreakerSettings(**{field: impossible})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "possible"),
    [
        ("sliding_window_size", 1),
        ("minimum_number_of_calls", 1),
        ("failure_rate_threshold_percent", 0.1),
        ("failure_rate_threshold_percent", 100),
        ("slow_call_duration_threshold_ms", 1),
        ("wait_duration_in_open_state_ms", 1),
        ("permitted_number_of_calls_in_half_open_state", 1),
        ("max_wait_duration_in_half_open_state_ms", 0),
        ("transition_to_state_after_wait_duration", State.CLOSED),
    ],
)
def test_the_limit_itself_is_possible(field: str, possible: object) -> None:
    settings = BreakerSettings(**{field: possible})  # type: ignore[arg-type]

    assert getattr(settings, field) == possible
