"""When to ask again, how long to wait for somebody, and how long she will have to wait: pure functions of figures."""

from functools import lru_cache
from math import log

from stagedoor.kernel.clock import DAY_MS, HOUR_MS, SECOND_MS, Instant, later
from stagedoor.waiting_room.room import Room, RoomPolicy

POLL_MS_MIN = SECOND_MS
"""Near the front: no answer is wanted sooner."""

POLL_MS_COMFORT = 30 * SECOND_MS
"""The longest anybody is left without news as long as the budget allows."""

POLL_MS_UNKNOWN = 10 * SECOND_MS
"""The same while nobody can say how long the wait is: it may be over at any moment."""

POLL_MS_MAX = HOUR_MS
"""Nobody is sent away for longer, whatever the budget."""

POLL_MS_PER_PLACE = SECOND_MS
POLL_MS_PER_PLACE_UNKNOWN = 10
POLL_SHARE_OF_WAIT = 4
"""A wait is cut in four: half of it is the most that may be slept through, and estimates are sometimes wrong."""

_LINES_REMEMBERED = 256

_COMFORT_FROM_PLACE = POLL_MS_COMFORT // POLL_MS_PER_PLACE
_UNKNOWN_FROM_PLACE = POLL_MS_UNKNOWN // POLL_MS_PER_PLACE_UNKNOWN

JITTER = 1 / 8
MISSED_POLLS = 3
"""Somebody is away once she has missed three polls in a row."""

IDLE_POLLS = 3
TOKEN_WITHOUT_CLOSING_MS = 7 * DAY_MS
TOKEN_AFTER_CLOSING_MS = DAY_MS

# The golden ratio as a fraction of 2^32: multiples of it spread evenly over the circle (Knuth, TAOCP 3, 6.4).
_GOLDEN = 0x9E3779B1
_CIRCLE = 1 << 32


def token_expires_at(room: Room, joined_at: Instant) -> Instant:
    """Return until when the token of a place taken at *joined_at* is good; fixed at joining."""
    if room.closes_at is not None:
        return later(room.closes_at, TOKEN_AFTER_CLOSING_MS)
    return later(joined_at, TOKEN_WITHOUT_CLOSING_MS)


def away_window_ms(policy: RoomPolicy, told_ms: int) -> int:
    """Return after how many milliseconds of silence somebody told to ask again after *told_ms* is away."""
    return max(policy.away_after_ms, MISSED_POLLS * told_ms)


def entry_window_ms(policy: RoomPolicy, told_ms: int) -> int:
    """Return how many milliseconds somebody told to ask again after *told_ms* has to take up her pass."""
    return max(policy.entry_window_ms, MISSED_POLLS * told_ms)


def most_told_ms(*, position: int, waiting: int, polls_per_second: int) -> int:
    """
    Return the longest interval in milliseconds that somebody at *position* can have been told.

    What a buyer was told is not durable; after a restart she is given the benefit of the doubt.
    """
    return max(POLL_MS_COMFORT, int(_budget_ms(position, waiting, polls_per_second)))


def longest_told_ms(*, waiting: int, polls_per_second: int) -> int:
    """
    Return the longest interval in milliseconds that anybody in a line of at most *waiting* can be told.

    That is just before the opening: as long as in any line, and the spread of the crowd behind it.
    """
    spread_ms = max(POLL_MS_MIN, int(_budget_ms(max(1, waiting), max(1, waiting), polls_per_second)))
    return max(POLL_MS_COMFORT, spread_ms) + spread_ms


def poll_admitted_ms(policy: RoomPolicy) -> int:
    """Return after how many milliseconds somebody admitted asks again, if she does nothing else, to stay."""
    return max(1, min(POLL_MS_UNKNOWN, policy.idle_timeout_ms // IDLE_POLLS))


def phase(number: int) -> float:
    """Return a fixed fraction in [0, 1) for a queue number; those of neighbours lie far apart."""
    return (number * _GOLDEN) % _CIRCLE / _CIRCLE


def budget_interval_ms(*, position: int, waiting: int, polls_per_second: float) -> float:
    """
    Return how far apart, in milliseconds, the polls from *position* in a line of *waiting* must be.

    Half of the budget B is shared alike, so nobody is left without an answer
    for longer than 2N/B seconds; the other half goes in inverse proportion to
    the position, so that the front hears at once. The sum stays within B:
    B/2 for the equal shares, and the sum of k/p over N places is at most
    k (1 + ln N), which with k = B / 2(1 + ln N) is the other half.
    """
    equal_share, share_of_front = _shares(waiting, polls_per_second)
    return SECOND_MS / (equal_share + share_of_front / position)


def poll_after_ms(*, position: int, number: int, waiting: int, polls_per_second: int, wait_ms: float | None) -> int:
    """
    Return after how many milliseconds a waiting buyer should ask again.

    One second at the front and at most as many seconds as there are places,
    then a quarter of the predicted wait *wait_ms*, 30 s at the most (10 s where
    the wait is unknown, None). However slow a room is, the next one is up as
    soon as somebody leaves.
    The budget wins over all of that: a line that is too long for it polls more
    seldom even if that is more than half of the wait, because a server that is
    overrun answers nobody, and whoever sleeps through her turn as told loses
    nothing: the windows for absence and entry are three times what she was told.
    """
    interval_ms = _budget_ms(position, waiting, polls_per_second)
    wanted_ms: float
    # Every poll comes this way: two comparisons cost less than a call of min or max.
    if wait_ms is None:
        wanted_ms = position * POLL_MS_PER_PLACE_UNKNOWN if position < _UNKNOWN_FROM_PLACE else POLL_MS_UNKNOWN
    else:
        wanted_ms = wait_ms / POLL_SHARE_OF_WAIT
        if position < _COMFORT_FROM_PLACE and wanted_ms > position * POLL_MS_PER_PLACE:
            wanted_ms = position * POLL_MS_PER_PLACE
        elif wanted_ms > POLL_MS_COMFORT:
            wanted_ms = POLL_MS_COMFORT
    interval_ms = max(interval_ms, wanted_ms)
    return _jittered(interval_ms, number) if interval_ms > POLL_MS_MIN else POLL_MS_MIN


def poll_before_opening_ms(*, opens_in_ms: int, position: int, number: int, waiting: int, polls_per_second: int) -> int:
    """
    Return after how many milliseconds to ask again in a room that opens in *opens_in_ms*.

    As in any line, until the next poll would come after the opening: then it
    comes at the opening, or as much later as the budget makes her wait from
    there on, so that the crowd does not ask in one moment. Near the front that
    is less than a second.
    """
    spread = max(POLL_MS_MIN, _budget_ms(position, waiting, polls_per_second))
    regular = max(spread, min(opens_in_ms / POLL_SHARE_OF_WAIT, POLL_MS_COMFORT))
    if regular < opens_in_ms:
        return _jittered(regular, number)
    return opens_in_ms + int(spread * phase(number))


def expected_wait_ms(
    *, position: int, policy: RoomPolicy, active: int, per_second: float | None, mean_pass_ms: float | None
) -> float | None:
    """
    Return in how many milliseconds the place at *position* gets in, None if nobody can say.

    By the recent rate of admission (*per_second*); before there is one, by the
    room's limits: the free slots at once, then as many a second as passes end.
    Until the first passes have ended, they are taken to last half of the session.
    """
    if policy.max_active == 0:
        return None
    if per_second is not None:
        return position * SECOND_MS / per_second if per_second > 0 else None
    behind = max(0, position - max(0, policy.max_active - active))
    lasts_ms = policy.session_max_ms / 2 if mean_pass_ms is None else mean_pass_ms
    by_slots = behind * lasts_ms / policy.max_active
    return by_slots if policy.rate is None else max(by_slots, position * SECOND_MS / policy.rate)


@lru_cache(maxsize=_LINES_REMEMBERED)
def _shares(waiting: int, polls_per_second: float) -> tuple[float, float]:
    """Return the equal share of each, and what the other half gives to the front: the same for a whole line."""
    half = polls_per_second / 2
    return half / waiting, half / (1 + log(waiting))


def _budget_ms(position: int, waiting: int, polls_per_second: int) -> float:
    # Jitter makes intervals shorter, by JITTER at the most, so that much of the budget is left for it.
    interval_ms = budget_interval_ms(
        position=position,
        waiting=max(waiting, position),
        polls_per_second=polls_per_second * (1 - JITTER),
    )
    return min(POLL_MS_MAX, interval_ms)


def _jittered(interval_ms: float, number: int) -> int:
    """Shorten what is longer than a second a little, each number differently, so that crowds do not keep step."""
    return int(POLL_MS_MIN + (interval_ms - POLL_MS_MIN) * (1 - JITTER * phase(number)))
