"""The operators' calls about rooms: look at them, change them, open, pause and close them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import get, patch, post
from litestar.params import FromPath, JSONBody
from litestar.types import Scope
from msgspec import UNSET, UnsetType

from stagedoor.http.answer import Answer, Cache, success
from stagedoor.http.call import call_of
from stagedoor.http.contract import Entry, Needs
from stagedoor.http.ops_desk import Desk, OpsDesk, actor_of, opt_of, refusals, settled
from stagedoor.http.ops_wire import PolicyCard, PolicyPatch, RoomCard, RoomPatch, StoredStateWord
from stagedoor.http.problems import NO_ROOM, ROOM_CLOSED
from stagedoor.http.queue import room_document
from stagedoor.http.rejections import Unreadable
from stagedoor.http.times import rfc3339
from stagedoor.http.wire import RoomDocument
from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.kernel.ids import RoomId
from stagedoor.operators.model import Role
from stagedoor.waiting_room.room import Room, RoomPolicy, RoomState
from stagedoor.waiting_room.room_change import UNCHANGED, ImpossibleRoomChange, RoomAction, RoomChange, Unchanged

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

_PLAIN = ("max_active", "rate", "line_max", "polls_per_second")
_DURATIONS: Mapping[str, str] = {
    "idle_timeout_seconds": "idle_timeout_ms",
    "session_max_seconds": "session_max_ms",
    "away_after_seconds": "away_after_ms",
    "entry_window_seconds": "entry_window_ms",
}
"""The wire's name and the policy's, where the wire has seconds and the policy milliseconds."""

_STORED: Mapping[RoomState, StoredStateWord] = {
    RoomState.OPEN: "OPEN",
    RoomState.PAUSED: "PAUSED",
    RoomState.CLOSED: "CLOSED",
}

_ROOM: Any = {
    "room": "main",
    "name": "Main",
    "roomState": "OPEN",
    "storedState": "OPEN",
    "opensAt": None,
    "closesAt": None,
    "policy": {
        "maxActive": 500,
        "rate": None,
        "idleTimeoutSeconds": 30.0,
        "sessionMaxSeconds": 600.0,
        "awayAfterSeconds": 180.0,
        "entryWindowSeconds": 30.0,
        "lineMax": 2_000_000,
        "pollsPerSecond": 5_000,
    },
    "version": 3,
}


@get(
    "/rooms",
    opt=opt_of(
        Entry(tag="ops", summary="Every room", needs=Needs.OPERATOR, refusals=refusals(), example=[_ROOM]), Role.VIEW
    ),
)
async def list_rooms(scope: Scope, desk: Desk) -> Answer[list[RoomCard]]:
    """List every room with its policy, ordered by id. A change of another process shows within a second."""
    now = call_of(scope).services.clock.now()
    return success([room_card(room, now) for room in desk.rooms.all()], Cache.NOBODY)


@patch(
    "/rooms/{room_id:str}",
    opt=opt_of(
        Entry(
            tag="ops",
            summary="Change a room's policy or times",
            needs=Needs.OPERATOR,
            refusals=refusals(NO_ROOM),
            example=_ROOM,
        ),
        Role.OPERATE,
    ),
)
async def change_room(room_id: FromPath[str], data: JSONBody[RoomPatch], scope: Scope, desk: Desk) -> Answer[RoomCard]:
    """Change what is named; the rest stays. It is in force within a second. Lowering `maxActive` throws nobody out."""
    change = _change(data)
    if change.is_empty:
        raise Unreadable("body", "missing", expected="policy, opensAt or closesAt")
    call = call_of(scope)
    try:
        room = await settled(call, desk.room_desk.change(RoomId(room_id), change, actor=actor_of(scope)))
    except ImpossibleRoomChange as error:
        raise _unreadable(error) from error
    return success(room_card(room, call.services.clock.now()), Cache.NOBODY)


@post(
    "/rooms/{room_id:str}/open",
    status_code=200,
    opt=opt_of(
        Entry(tag="ops", summary="Open a room", needs=Needs.OPERATOR, refusals=refusals(NO_ROOM), example=_ROOM),
        Role.OPERATE,
    ),
)
async def open_room(room_id: FromPath[str], scope: Scope, desk: Desk) -> Answer[RoomCard]:
    """Let the line move, now: an opening still to come is brought forward, a closing that has passed taken away."""
    return await _act(room_id, RoomAction.OPEN, scope, desk)


@post(
    "/rooms/{room_id:str}/pause",
    status_code=200,
    opt=opt_of(
        Entry(
            tag="ops",
            summary="Pause a room",
            needs=Needs.OPERATOR,
            refusals=refusals(NO_ROOM, ROOM_CLOSED),
            example={**_ROOM, "roomState": "PAUSED", "storedState": "PAUSED"},
        ),
        Role.OPERATE,
    ),
)
async def pause_room(room_id: FromPath[str], scope: Scope, desk: Desk) -> Answer[RoomCard]:
    """Admit nobody until the room is opened again; every place is kept, and who is admitted goes on."""
    return await _act(room_id, RoomAction.PAUSE, scope, desk)


@post(
    "/rooms/{room_id:str}/close",
    status_code=200,
    opt=opt_of(
        Entry(
            tag="ops",
            summary="Close a room",
            needs=Needs.OPERATOR,
            refusals=refusals(NO_ROOM),
            example={**_ROOM, "roomState": "CLOSED", "storedState": "CLOSED"},
        ),
        Role.OPERATE,
    ),
)
async def close_room(room_id: FromPath[str], scope: Scope, desk: Desk) -> Answer[RoomCard]:
    """Take no more buyers and end the waiting places. Opened again, the room has an empty line."""
    return await _act(room_id, RoomAction.CLOSE, scope, desk)


@get(
    "/rooms/{room_id:str}/line",
    opt=opt_of(
        Entry(
            tag="ops",
            summary="A room's line",
            needs=Needs.OPERATOR,
            refusals=refusals(NO_ROOM),
            quiet=True,
            example={
                "room": "main",
                "roomState": "OPEN",
                "servingNumber": 1200,
                "lastNumber": 48000,
                "waiting": 45210,
                "active": 500,
                "maxActive": 500,
                "admittedPerSecond": 20.5,
                "admittedPerSecondMax": None,
                "soldOut": False,
                "free": 812,
                "held": 96,
                "pollsPerSecond": 5000,
                "pollAfterMs": 2000,
            },
        ),
        Role.VIEW,
    ),
)
async def read_line(room_id: FromPath[str], scope: Scope) -> Answer[RoomDocument]:
    """Tell how the room's line and supply stand: what everybody may see of it, straight from this process."""
    services = call_of(scope).services
    return success(room_document(services.room_status.status(room_id=RoomId(room_id))), Cache.NOBODY)


async def _act(room_id: str, action: RoomAction, scope: Scope, desk: OpsDesk) -> Answer[RoomCard]:
    call = call_of(scope)
    room = await settled(call, desk.room_desk.act(RoomId(room_id), action, actor=actor_of(scope)))
    return success(room_card(room, call.services.clock.now()), Cache.NOBODY)


def room_card(room: Room, now: Instant) -> RoomCard:
    """Return a room in the words of the wire."""
    return RoomCard(
        room=room.id,
        name=room.name,
        room_state=room.state_at(now).value,
        stored_state=_STORED[room.state],
        opens_at=None if room.opens_at is None else rfc3339(room.opens_at),
        closes_at=None if room.closes_at is None else rfc3339(room.closes_at),
        policy=_policy_card(room.policy),
        version=room.version,
    )


def _policy_card(policy: RoomPolicy) -> PolicyCard:
    return PolicyCard(
        max_active=policy.max_active,
        rate=policy.rate,
        idle_timeout_seconds=policy.idle_timeout_ms / SECOND_MS,
        session_max_seconds=policy.session_max_ms / SECOND_MS,
        away_after_seconds=policy.away_after_ms / SECOND_MS,
        entry_window_seconds=policy.entry_window_ms / SECOND_MS,
        line_max=policy.line_max,
        polls_per_second=policy.polls_per_second,
    )


def _change(sent: RoomPatch) -> RoomChange:
    policy = {} if sent.policy is UNSET else _policy(sent.policy)
    try:
        return RoomChange(policy=policy, opens_at=_instant(sent.opens_at), closes_at=_instant(sent.closes_at))
    except ImpossibleRoomChange as error:
        raise _unreadable(error) from error


def _policy(sent: PolicyPatch) -> Mapping[str, float | None]:
    policy: dict[str, float | None] = {name: value for name in _PLAIN if (value := getattr(sent, name)) is not UNSET}
    for wire_name, name in _DURATIONS.items():
        seconds = getattr(sent, wire_name)
        if seconds is not UNSET:
            policy[name] = None if seconds is None else round(seconds * SECOND_MS)
    return policy


def _instant(sent: datetime | UnsetType | None) -> Instant | Unchanged | None:
    if sent is UNSET:
        return UNCHANGED
    return None if sent is None else Instant((sent - _EPOCH) // _MS)


def _unreadable(error: ImpossibleRoomChange) -> Unreadable:
    """Return the field by its wire name; the sentence behind it stays as it is."""
    wire_name = {"opens_at": "opensAt", "closes_at": "closesAt"}.get(error.field, error.field)
    return Unreadable(wire_name, "out_of_range", expected=f"a value that {error.problem}")
