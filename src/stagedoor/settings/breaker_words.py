"""The properties of a breaker as Resilience4j's settings have them: how each is written, read and shown."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from typing import Any, Final

from stagedoor.resilience.breaker import ON_SALE, BreakerSettings, SlidingWindowType, State
from stagedoor.settings.errors import UnfitError

_UNITS_NS: Final[Mapping[str, int]] = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
}
_NS_PER_MS: Final = 1_000_000
_SPRING = re.compile(r"(\d{1,15})(ns|us|ms|s|m|h|d)?", re.ASCII | re.IGNORECASE)
_ISO_8601 = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?", re.ASCII | re.IGNORECASE)
_ISO_SECONDS = (86_400, 3_600, 60, 1)
_BOOLEANS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


def plain(name: str) -> str:
    """Return *name* without what camelCase, kebab-case and snake_case differ in."""
    return name.replace("-", "").replace("_", "").lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """
    One property of a breaker: *name* as Resilience4j has it, *field* of `BreakerSettings`.

    *read* raises `UnfitError` for what is not *allowed*.
    """

    name: str
    field: str
    read: Callable[[object], Any]
    allowed: str
    meaning: str
    show: Callable[[Any], str] = str

    def shown(self, settings: BreakerSettings) -> str:
        """Return the value in *settings* as it would be written."""
        return self.show(getattr(settings, self.field))


def whole(raw: object) -> int:
    """Return a whole number of at least 1; Spring takes one in quotes, too."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit():
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 1:
        raise UnfitError
    return raw


def switch(raw: object) -> bool:
    """Return true or false; in quotes Spring takes some more words for them."""
    answer = _BOOLEANS.get(raw.strip().lower()) if isinstance(raw, str) else raw
    if not isinstance(answer, bool):
        raise UnfitError
    return answer


def _number(raw: object) -> float:
    try:
        number = float(raw) if isinstance(raw, str) else raw
    except ValueError as error:
        raise UnfitError from error
    if not isinstance(number, int | float) or isinstance(number, bool):
        raise UnfitError
    return number


def _percentage(raw: object) -> float:
    percent = _number(raw)
    if not 0 < percent <= 100:  # noqa: PLR2004
        raise UnfitError
    return percent


def factor(raw: object) -> float:
    """Return a number above 0."""
    number = _number(raw)
    if not 0 < number < inf:
        raise UnfitError
    return number


def share(raw: object) -> float:
    """Return a number of at least 0 and below 1."""
    number = _number(raw)
    if not 0 <= number < 1:
        raise UnfitError
    return number


def duration_ms(raw: object) -> int:
    """Return whole milliseconds, at least 1, of a duration as Spring reads it: a bare number is milliseconds."""
    if (milliseconds := _duration_or_none_ms(raw)) < 1:
        raise UnfitError
    return milliseconds


def _duration_or_none_ms(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    if not isinstance(raw, str):
        raise UnfitError
    if (spring := _SPRING.fullmatch(raw.strip())) is not None:
        nanoseconds = int(spring[1]) * _UNITS_NS[(spring[2] or "ms").lower()]
    elif (iso := _ISO_8601.fullmatch(raw.strip())) is not None and any(iso.groups()):
        seconds = sum(Decimal(part or 0) * size for part, size in zip(iso.groups(), _ISO_SECONDS, strict=True))
        nanoseconds = int(seconds * _UNITS_NS["s"])
    else:
        raise UnfitError
    if nanoseconds % _NS_PER_MS:
        raise UnfitError
    return nanoseconds // _NS_PER_MS


def _show_duration(milliseconds: int) -> str:
    return f"{milliseconds // 1_000}s" if milliseconds % 1_000 == 0 else f"{milliseconds}ms"


def one_of(words: Mapping[str, Any]) -> Callable[[object], Any]:
    """Return what reads each of *words*, which are plain, in whatever case and spelling."""

    def read(raw: object) -> object:
        found = words.get(plain(raw)) if isinstance(raw, str) else None
        if found is None:
            raise UnfitError
        return found

    return read


WHOLE: Final = "a whole number of at least 1"
_PERCENT = "a number above 0 and at most 100"
SWITCH: Final = "true or false"
DURATION: Final = "a duration of whole milliseconds, such as 30s, 500ms, PT30S or 30000"

PROPERTIES: Final[Sequence[Property]] = (
    Property(
        name="slidingWindowType",
        field="sliding_window_type",
        read=one_of({plain(kind.value): kind for kind in SlidingWindowType}),
        allowed="COUNT_BASED or TIME_BASED",
        meaning="Whether the rates are of the last calls, or of the calls of the last seconds.",
        show=lambda kind: str(kind.value),
    ),
    Property(
        name="slidingWindowSize",
        field="sliding_window_size",
        read=whole,
        allowed=WHOLE,
        meaning="How many calls, or seconds.",
    ),
    Property(
        name="minimumNumberOfCalls",
        field="minimum_number_of_calls",
        read=whole,
        allowed=WHOLE,
        meaning="How many calls there have to be before a rate means anything; COUNT_BASED, at most the window.",
    ),
    Property(
        name="failureRateThreshold",
        field="failure_rate_threshold_percent",
        read=_percentage,
        allowed=_PERCENT,
        meaning="The percentage of failed calls at which the breaker opens.",
    ),
    Property(
        name="slowCallRateThreshold",
        field="slow_call_rate_threshold_percent",
        read=_percentage,
        allowed=_PERCENT,
        meaning="The percentage of slow calls at which it opens.",
    ),
    Property(
        name="slowCallDurationThreshold",
        field="slow_call_duration_threshold_ms",
        read=duration_ms,
        allowed=DURATION,
        meaning="A call that takes longer is slow.",
        show=_show_duration,
    ),
    Property(
        name="waitDurationInOpenState",
        field="wait_duration_in_open_state_ms",
        read=duration_ms,
        allowed=DURATION,
        meaning="How long an open breaker lets nobody through before it lets some calls try.",
        show=_show_duration,
    ),
    Property(
        name="permittedNumberOfCallsInHalfOpenState",
        field="permitted_number_of_calls_in_half_open_state",
        read=whole,
        allowed=WHOLE,
        meaning="How many calls try, in all.",
    ),
    Property(
        name="maxWaitDurationInHalfOpenState",
        field="max_wait_duration_in_half_open_state_ms",
        read=_duration_or_none_ms,
        allowed=f"{DURATION}; 0: for ever",
        meaning="How long they have to decide.",
        show=_show_duration,
    ),
    Property(
        name="transitionToStateAfterWaitDuration",
        field="transition_to_state_after_wait_duration",
        read=one_of({"open": State.OPEN, "closed": State.CLOSED}),
        allowed="OPEN or CLOSED",
        meaning="What the breaker becomes if they do not.",
        show=lambda state: str(state.name),
    ),
    Property(
        name="automaticTransitionFromOpenToHalfOpenEnabled",
        field="automatic_transition_from_open_to_half_open_enabled",
        read=switch,
        allowed=SWITCH,
        meaning="Whether it leaves the open state by the clock, not by the next call.",
        show=lambda value: "true" if value else "false",
    ),
)
"""What a breaker goes by, in the order of Resilience4j's documentation."""


def differences(settings: BreakerSettings) -> str:
    """Return what *settings* have other than the defaults, as it would be written."""
    changed = [
        f"{each.name} {each.shown(settings)}"
        for each in PROPERTIES
        if getattr(settings, each.field) != getattr(ON_SALE, each.field)
    ]
    return ", ".join(changed) or "the defaults"
