"""What the flags of `room set` come to."""

import pytest

from stagedoor.cli.rooms import read_change
from stagedoor.cli.sentences import Misused
from stagedoor.kernel.clock import Instant
from stagedoor.waiting_room.room_change import POLICY_RANGES, UNCHANGED, RoomChange


@pytest.mark.parametrize(
    ("flags", "change"),
    [
        ({"max_active": "0"}, RoomChange(policy={"max_active": 0})),
        ({"max_active": "default"}, RoomChange(policy={"max_active": None})),
        ({"admit_rate": "12.5"}, RoomChange(policy={"rate": 12.5})),
        ({"admit_rate": "default"}, RoomChange(policy={"rate": None})),
        ({"idle_timeout_seconds": "1.5"}, RoomChange(policy={"idle_timeout_ms": 1_500})),
        ({"session_max_seconds": "60"}, RoomChange(policy={"session_max_ms": 60_000})),
        ({"opens_at": "2027-01-09T20:00:00+09:00"}, RoomChange(opens_at=Instant(1_799_492_400_000))),
        ({"closes_at": "none"}, RoomChange(closes_at=None)),
    ],
)
def test_a_flag_is_a_change(flags: dict[str, str], change: RoomChange) -> None:
    assert read_change(flags) == change


def test_what_is_not_named_is_unchanged() -> None:
    change = read_change({"max_active": "1"})

    assert (change.opens_at, change.closes_at) == (UNCHANGED, UNCHANGED)


def test_everything_a_policy_has_can_be_set() -> None:
    flags = dict.fromkeys(
        (
            "max_active",
            "admit_rate",
            "idle_timeout_seconds",
            "session_max_seconds",
            "away_after_seconds",
            "entry_window_seconds",
            "line_max",
            "polls_per_second",
        ),
        "default",
    )

    assert read_change(flags).policy == dict.fromkeys(POLICY_RANGES)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"max_active": "-1"}, '--max-active is "-1", but it has to be a whole number from 0 to 1000000'),
        ({"max_active": "none"}, '--max-active is "none", but it has to be a whole number'),
        ({"admit_rate": "none"}, "--admit-rate is none, but a room has a figure of its own or `default`"),
        ({"opens_at": "tomorrow"}, '--opens-at is "tomorrow", but it has to be a date and time with its offset'),
    ],
)
def test_what_is_impossible_is_named(flags: dict[str, str], sentence: str) -> None:
    with pytest.raises(Misused) as refused:
        read_change(flags)

    assert str(refused.value).startswith(sentence)
