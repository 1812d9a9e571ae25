"""Instants as the wire tells them: RFC 3339 in UTC, and dates and times of day where the hall stands."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from stagedoor.kernel.clock import SECOND_MS, Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_INSTANTS_KEPT = 512
"""A batch has one instant, so the same few are told again and again."""


@lru_cache(maxsize=_INSTANTS_KEPT)
def rfc3339(instant: Instant) -> str:
    """Return the instant in UTC with milliseconds: `2027-01-09T09:00:00.000Z`."""
    return _utc(instant).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def local_date(instant: Instant, time_zone: str) -> str:
    """Return the date there: `2027-01-09`."""
    return _local(instant, time_zone).date().isoformat()


def local_time(instant: Instant, time_zone: str) -> str:
    """Return the time of day there: `18:00`."""
    return _local(instant, time_zone).time().isoformat(timespec="minutes")


@lru_cache(maxsize=_INSTANTS_KEPT)
def local_instant(instant: Instant, time_zone: str) -> str:
    """Return date and time of day there: `2027-01-09 18:00:00`."""
    return _local(instant, time_zone).replace(tzinfo=None).isoformat(" ", timespec="seconds")


def seconds_left(until: Instant, now: Instant) -> int:
    """Return the seconds from *now* to a deadline, rounded down and never negative: no more than is left."""
    return max(0, until - now) // SECOND_MS


def seconds_until(instant: Instant, now: Instant) -> int:
    """Return the seconds from *now* to something awaited, rounded up and never negative: at 0 it is there."""
    return whole_seconds(max(0, instant - now))


def whole_seconds(duration_ms: int) -> int:
    """Return *duration_ms* in seconds, rounded up."""
    return -(-duration_ms // SECOND_MS)


def _utc(instant: Instant) -> datetime:
    return _EPOCH + timedelta(milliseconds=instant)


def _local(instant: Instant, time_zone: str) -> datetime:
    return _utc(instant).astimezone(_zone(time_zone))


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
