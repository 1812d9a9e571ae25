"""What goes over the wire in the operators' calls; the types are also the schemas of the API document."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from stagedoor.http.wire import Count, Id, Rfc3339, RoomStateWord, SaleStateWord
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.kernel.money import CHARGE_WON_MAX
from stagedoor.waiting_room.room_change import POLICY_RANGES

MEMBERS_PER_CALL_MAX = 10_000

_SECONDS = POLICY_RANGES["idle_timeout_ms"]
_FOLLOW = "null follows the setting of the same name again."

StoredStateWord = Literal["OPEN", "PAUSED", "CLOSED"]
BreakerStateWord = Literal["CLOSED", "OPEN", "HALF_OPEN", "DISABLED", "FORCED_OPEN", "METRICS_ONLY"]
EndedWord = Literal["REVOKED", "DONE", "EXPIRED"]

PolicySeconds = Annotated[
    float, Meta(ge=_SECONDS.least / SECOND_MS, le=_SECONDS.most / SECOND_MS, description=_FOLLOW, examples=[30])
]
WireInstant = Annotated[
    datetime, Meta(tz=True, description="RFC 3339 with an offset; null: none.", examples=["2027-01-09T20:00:00+09:00"])
]


def _whole(name: str, examples: list[int] | None = None) -> Meta:
    allowed = POLICY_RANGES[name]
    return Meta(ge=int(allowed.least), le=int(allowed.most), description=_FOLLOW, examples=examples)


class _Sent(Struct, rename="camel", forbid_unknown_fields=True):
    """What an operator sends. A name that is not known is refused: a slip of the pen must not pass for a change."""


class _Told(Struct, rename="camel"):
    """What an operator is told."""


class PolicyPatch(_Sent):
    """The figures of a room's policy that are to change."""

    max_active: Annotated[int, _whole("max_active", examples=[500])] | UnsetType | None = UNSET
    rate: (
        Annotated[
            float,
            Meta(
                ge=POLICY_RANGES["rate"].least,
                le=POLICY_RANGES["rate"].most,
                description=f"Admissions a second. {_FOLLOW}",
                examples=[12.5],
            ),
        ]
        | UnsetType
        | None
    ) = UNSET
    idle_timeout_seconds: PolicySeconds | UnsetType | None = UNSET
    session_max_seconds: PolicySeconds | UnsetType | None = UNSET
    away_after_seconds: PolicySeconds | UnsetType | None = UNSET
    entry_window_seconds: PolicySeconds | UnsetType | None = UNSET
    line_max: Annotated[int, _whole("line_max")] | UnsetType | None = UNSET
    polls_per_second: Annotated[int, _whole("polls_per_second")] | UnsetType | None = UNSET


class RoomPatch(_Sent):
    """What is to change in a room; what is not named stays."""

    policy: PolicyPatch | UnsetType = UNSET
    opens_at: WireInstant | UnsetType | None = UNSET
    closes_at: WireInstant | UnsetType | None = UNSET


class SwitchBody(_Sent):
    """Which switch to turn, and how far."""

    sale_state: SaleStateWord
    schedule_id: Annotated[Id, Meta(description="Whose sale; left out: everything.")] | UnsetType = UNSET


class RevokeBody(_Sent):
    """Which place to take away."""

    room: Annotated[str, Meta(min_length=1, max_length=64, examples=["main"])]
    number: Annotated[Id, Meta(description="The place's queue number.", examples=[7])]


class CreditBody(_Sent):
    """How much to put into a buyer's wallet."""

    amount: Annotated[int, Meta(ge=1, le=CHARGE_WON_MAX, description="Whole won.", examples=[50_000])]


class MembersBody(_Sent):
    """Who becomes a member: `ids`, or `count` ids from `from` on."""

    ids: Annotated[list[Id], Meta(min_length=1, max_length=MEMBERS_PER_CALL_MAX)] | UnsetType = UNSET
    first: Id | UnsetType = field(default=UNSET, name="from")
    count: Annotated[int, Meta(ge=1, le=MEMBERS_PER_CALL_MAX)] | UnsetType = UNSET


class PolicyCard(_Told):
    """A room's policy as it is in force."""

    max_active: Count
    rate: Annotated[float | None, Meta(description="Admissions a second; null: no limit but `maxActive`.")]
    idle_timeout_seconds: float
    session_max_seconds: float
    away_after_seconds: float
    entry_window_seconds: float
    line_max: Count
    polls_per_second: Count


class RoomCard(_Told):
    """A room as its operators see it."""

    room: str
    name: str
    room_state: Annotated[RoomStateWord, Meta(description="What the room is doing now.")]
    stored_state: Annotated[StoredStateWord, Meta(description="What was said last, times aside.")]
    opens_at: Rfc3339 | None
    closes_at: Rfc3339 | None
    policy: PolicyCard
    version: Annotated[int, Meta(ge=1, description="Rises with every change.")]


class SwitchCard(_Told):
    """The switch of one performance."""

    schedule_id: Id
    sale_state: SaleStateWord


class SaleCard(_Told):
    """What the switches say: the one for everything, and those of performances that do not say OPEN."""

    sale_state: SaleStateWord
    schedules: list[SwitchCard]


Rate = Annotated[float | None, Meta(description="Percent; null below the minimum number of calls.")]


class BreakerSettingsCard(_Told):
    """What a breaker goes by, in Resilience4j's words; durations are in milliseconds."""

    sliding_window_type: Literal["COUNT_BASED", "TIME_BASED"]
    sliding_window_size: Count
    minimum_number_of_calls: Count
    failure_rate_threshold: float
    slow_call_rate_threshold: float
    slow_call_duration_threshold_ms: Count
    wait_duration_in_open_state_ms: Count
    permitted_number_of_calls_in_half_open_state: Count
    max_wait_duration_in_half_open_state_ms: Annotated[Count, Meta(description="0: for ever.")]
    transition_to_state_after_wait_duration: Annotated[
        Literal["OPEN", "CLOSED"], Meta(description="What it becomes if it is still on trial after that.")
    ]
    automatic_transition_from_open_to_half_open_enabled: bool


class BreakerCard(_Told):
    """A breaker of one process. Failed and slow calls both include the slow failed ones."""

    name: str
    state: BreakerStateWord
    failure_rate: Rate
    slow_call_rate: Rate
    buffered_calls: Count
    failed_calls: Count
    slow_calls: Count
    slow_failed_calls: Count
    not_permitted_calls: Annotated[Count, Meta(description="Since the window was begun.")]
    retry_after_ms: Annotated[Count, Meta(description="When a call may be let through; 0: the next one is.")]
    settings: BreakerSettingsCard
    process: (
        Annotated[int, Meta(ge=1, description="Whose it is, where one command serves with several.")] | UnsetType
    ) = UNSET


class SteeredCard(BreakerCard, kw_only=True):
    """A breaker as it is after the order, which has taken effect."""

    processes: (
        Annotated[list[int], Meta(description="Those that carried it out, where one command serves with several.")]
        | UnsetType
    ) = UNSET

    audited: Annotated[
        bool, Meta(description="false: the database is out; the entry is written as soon as it is back.")
    ]


class RevokedPlace(_Told):
    """The place as it is now. One that was over already stays as it ended."""

    room: str
    number: Id
    user_id: Id
    status: EndedWord


class MembersCard(_Told):
    """How many became members, and how many were before."""

    added: Count
    known: Count


class AuditCard(_Told):
    """One change: when, by whom, what, to what."""

    id: Id
    at: Rfc3339
    actor: Annotated[str, Meta(description="`key:NAME`, or `cli:USER` at the machine itself.", examples=["key:ann"])]
    action: Annotated[str, Meta(examples=["room.pause"])]
    subject: Annotated[str, Meta(examples=["room:main"])]
    detail: dict[str, Any]
