from stagedoor.http.times import (
    local_date,
    local_instant,
    local_time,
    rfc3339,
    seconds_left,
    seconds_until,
    whole_seconds,
)
from stagedoor.kernel.clock import Instant

NEW_YEAR_IN_SEOUL = Instant(1_798_729_200_000)


def test_an_instant_is_told_in_utc_with_milliseconds() -> None:
    assert rfc3339(Instant(1_798_859_045_678)) == "2027-01-02T03:04:05.678Z"
    assert rfc3339(Instant(1_798_859_045_000)) == "2027-01-02T03:04:05.000Z"


def test_dates_and_times_of_day_are_the_venues() -> None:
    assert local_date(NEW_YEAR_IN_SEOUL, "Asia/Seoul") == "2027-01-01"
    assert local_date(NEW_YEAR_IN_SEOUL, "UTC") == "2026-12-31"
    assert local_time(NEW_YEAR_IN_SEOUL, "Asia/Seoul") == "00:00"
    assert local_instant(Instant(NEW_YEAR_IN_SEOUL + 1_999), "Asia/Seoul") == "2027-01-01 00:00:01"


def test_summer_time_is_the_venues_too() -> None:
    july = Instant(1_814_400_000_000)

    assert local_time(july, "UTC") == "00:00"
    assert local_time(july, "Europe/Berlin") == "02:00"


def test_a_deadline_promises_no_more_than_is_left() -> None:
    now = Instant(1_000_000)

    assert seconds_left(Instant(1_299_999), now) == 299
    assert seconds_left(Instant(1_300_000), now) == 300
    assert seconds_left(Instant(999_999), now) == 0


def test_what_is_awaited_is_there_at_nought() -> None:
    now = Instant(1_000_000)

    assert seconds_until(Instant(1_000_001), now) == 1
    assert seconds_until(Instant(1_000_000), now) == 0
    assert seconds_until(Instant(0), now) == 0
    assert whole_seconds(12_001) == 13
