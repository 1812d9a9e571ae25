# ruff: noqa: RUF009 -- `setting` is a field specifier: it returns a dataclass field, which nobody shares
"""The settings that hold in every room whose row says nothing else: a part of the table in `model`."""

from collections.abc import Mapping
from dataclasses import dataclass

from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.settings import kinds
from stagedoor.settings.setting import Kind, setting
from stagedoor.settings.units import milliseconds
from stagedoor.waiting_room.room import RoomDefaults, RoomPolicy
from stagedoor.waiting_room.room_change import POLICY_RANGES

WAITING_ROOM = "Waiting room (defaults of every room; `stagedoor room set` changes one room, live)"

POLICY_FIELDS: Mapping[str, str] = {
    "max_active": "max_active",
    "admit_rate": "rate",
    "idle_timeout_seconds": "idle_timeout_ms",
    "session_max_seconds": "session_max_ms",
    "away_after_seconds": "away_after_ms",
    "entry_window_seconds": "entry_window_ms",
    "line_max": "line_max",
    "polls_per_second": "polls_per_second",
}
"""The settings that are the defaults of a room's policy, and what the policy calls them."""

_DEFAULTS = RoomPolicy()


def _figures(name: str) -> Kind:
    allowed = POLICY_RANGES[name]
    if not allowed.whole:
        return kinds.decimal(allowed.least, allowed.most)
    return kinds.whole(int(allowed.least), int(allowed.most))


def _seconds(name: str) -> Kind:
    allowed = POLICY_RANGES[name]
    return kinds.seconds(allowed.least / SECOND_MS, allowed.most / SECOND_MS)


@dataclass(frozen=True, kw_only=True)
class RoomSettings:
    """What a room goes by unless it has a word of its own."""

    max_active: int = setting(
        _figures("max_active"),
        default=_DEFAULTS.max_active,
        meaning="How many buyers are admitted at once; 0 admits nobody.",
        group=WAITING_ROOM,
        demo_default=500,
    )
    admit_rate: float | None = setting(
        kinds.optional(_figures("rate")),
        default=_DEFAULTS.rate,
        meaning="How many buyers are admitted a second, at most.",
        group=WAITING_ROOM,
    )
    idle_timeout_seconds: float = setting(
        _seconds("idle_timeout_ms"),
        default=_DEFAULTS.idle_timeout_ms / SECOND_MS,
        meaning="How long an admitted buyer who holds no seats may be silent before her pass ends.",
        group=WAITING_ROOM,
    )
    session_max_seconds: float = setting(
        _seconds("session_max_ms"),
        default=_DEFAULTS.session_max_ms / SECOND_MS,
        meaning="How long a pass lasts at most, or until her last hold ends.",
        group=WAITING_ROOM,
    )
    away_after_seconds: float = setting(
        _seconds("away_after_ms"),
        default=_DEFAULTS.away_after_ms / SECOND_MS,
        meaning="How long a waiting buyer may be silent before her turn passes her over.",
        group=WAITING_ROOM,
    )
    entry_window_seconds: float = setting(
        _seconds("entry_window_ms"),
        default=_DEFAULTS.entry_window_ms / SECOND_MS,
        meaning="How long an admitted buyer has for her first request.",
        group=WAITING_ROOM,
    )
    opens_at: Instant | None = setting(
        kinds.optional(kinds.instant()),
        default=None,
        meaning="When the room main opens, if nothing is stored for it. Until then buyers line up.",
        group=WAITING_ROOM,
    )
    closes_at: Instant | None = setting(
        kinds.optional(kinds.instant()),
        default=None,
        meaning="When the room main closes, if nothing is stored for it.",
        group=WAITING_ROOM,
    )
    line_max: int = setting(
        _figures("line_max"),
        default=_DEFAULTS.line_max,
        meaning="How many buyers a line takes; the next one is told to come later.",
        group=WAITING_ROOM,
    )
    polls_per_second: int = setting(
        _figures("polls_per_second"),
        default=_DEFAULTS.polls_per_second,
        meaning="The budget that a line's polls are spread over: the longer the line, the rarer a buyer asks.",
        group=WAITING_ROOM,
    )

    @property
    def room_defaults(self) -> RoomDefaults:
        """What holds in a room whose row says nothing else."""
        return RoomDefaults(policy=self.room_policy, opens_at=self.opens_at, closes_at=self.closes_at)

    @property
    def room_policy(self) -> RoomPolicy:
        """The policy of a room whose row says nothing else."""
        return RoomPolicy(
            max_active=self.max_active,
            rate=self.admit_rate,
            idle_timeout_ms=milliseconds(self.idle_timeout_seconds),
            session_max_ms=milliseconds(self.session_max_seconds),
            away_after_ms=milliseconds(self.away_after_seconds),
            entry_window_ms=milliseconds(self.entry_window_seconds),
            line_max=self.line_max,
            polls_per_second=self.polls_per_second,
        )
