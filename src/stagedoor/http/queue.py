"""The calls of the waiting line: take a place, ask how it stands, leave; and the document for everybody."""

import msgspec
from litestar import delete, get, post
from litestar.params import JSONBody
from litestar.types import Scope
from msgspec import UNSET

from stagedoor.http.answer import Answer, Cache, success, success_json
from stagedoor.http.call import Call, call_of
from stagedoor.http.contract import Entry, Field, Needs
from stagedoor.http.keys import key_of
from stagedoor.http.limits import LimitedCall
from stagedoor.http.problems import LINE_FULL, NO_BUYER, NO_ROOM, NOT_YOURS, ROOM_CLOSED, TOO_MANY
from stagedoor.http.reading import Query, given
from stagedoor.http.times import rfc3339, seconds_left, seconds_until, whole_seconds
from stagedoor.http.wire import (
    JoinBody,
    LeftLine,
    PlaceReport,
    PlaceStatusWord,
    RoomDocument,
    RoomStateWord,
    SaleStateWord,
    Ticket,
)
from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, RoomId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.resilience.breakers import Instance
from stagedoor.resilience.priority import Priority
from stagedoor.waiting_room.model import PlaceState, PlaceView, SignedPlace
from stagedoor.waiting_room.room import RoomState
from stagedoor.waiting_room.use_cases import PlaceStatus, RoomReport

DOCUMENT_POLL_AFTER_MS = 2 * SECOND_MS

_ROOM_WORDS: dict[RoomState, RoomStateWord] = {state: state.value for state in RoomState}
"""An enum's value costs more to ask for than to look up."""

SALE_WORDS: dict[SaleState, SaleStateWord] = {
    SaleState.OPEN: "OPEN",
    SaleState.HOLDS_ONLY_FINISH: "HOLDS_ONLY_FINISH",
    SaleState.STOPPED: "STOPPED",
}

_WORDS: dict[PlaceState, PlaceStatusWord] = {
    PlaceState.WAITING: "WAITING",
    PlaceState.PASSED_OVER: "WAITING",
    PlaceState.ADMITTED: "PROGRESS",
    PlaceState.DONE: "DONE",
    PlaceState.EXPIRED: "EXPIRED",
    PlaceState.REVOKED: "EXPIRED",
}


_WAITING, _OPEN, _ON_SALE = PlaceState.WAITING, RoomState.OPEN, SaleState.OPEN


@post(
    "/queue/token",
    status_code=200,
    opt=Entry(
        tag="queue",
        summary="Take a place in the line",
        priority=Priority.JOIN,
        needs=Needs.IDENTITY,
        refusals=(NOT_YOURS, NO_BUYER, NO_ROOM, ROOM_CLOSED, TOO_MANY, LINE_FULL),
        repeatable=True,
        quiet=True,
        example={"queueToken": "eyJhbGciOi…", "queuePosition": 30, "status": "WAITING"},
    ).opt,
)
async def issue_token(data: JSONBody[JoinBody], scope: Scope) -> Answer[Ticket]:
    """Give the buyer her living place in the room, or a new one at the back."""
    call = call_of(scope)
    services = call.services
    key = key_of(call, data)
    buyer_id = await services.identity.joining(call.headers, given(data.user_id, BuyerId))
    services.limits.take(LimitedCall.JOIN, buyer_id=buyer_id, address=call.address, now=call.asked_at)
    room_id = MAIN_ROOM if data.room is UNSET else RoomId(data.room)
    joined = await services.under_way.settle(
        lambda: services.issue_token.issue(buyer_id=buyer_id, room_id=room_id, key=key),
        buyer_id=buyer_id,
        call=call.name,
        key=key,
        guard=services.breakers.of(Instance.QUEUE),
    )
    place = joined.place
    ticket = Ticket(queue_token=services.tokens.issue(place), queue_position=place.position, status=_WORDS[place.state])
    return success(ticket, Cache.NOBODY, replayed=joined.replayed)


@post(
    "/queue/token/check",
    status_code=200,
    opt=Entry(
        tag="queue",
        summary="Ask how a place stands",
        priority=Priority.POLL,
        needs=Needs.QUEUE_TOKEN,
        refusals=(TOO_MANY,),
        quiet=True,
        example={
            "queuePosition": 30,
            "status": "WAITING",
            "estimatedWaitSeconds": 12,
            "pollAfterMs": 2000,
            "roomState": "OPEN",
        },
    ).opt,
)
async def check_token(scope: Scope) -> Answer[PlaceReport]:
    """Tell position and status; asking is a sign of presence, and `pollAfterMs` says when to ask again."""
    call = call_of(scope)
    if (told := check_at_once(call)) is not None:
        return told
    claims = call.claims()
    services = call.services
    await services.under_way.settle(
        lambda: services.check_place.settled(claims.ref, signed=claims),
        buyer_id=claims.buyer_id,
        call=call.name,
        key=None,
        guard=services.breakers.of(Instance.QUEUE),
        may_be_cut_off=True,
    )
    return _checked(call, claims)


def check_at_once(call: Call) -> Answer[PlaceReport] | None:
    """
    Answer as `check_token`, None where that would have to wait.

    No breaker is asked and none counts it: what is answered from memory says nothing about
    a store, and thousands of such answers would hide a hundred joins that fail.
    """
    claims = call.claims()
    return _checked(call, claims) if call.services.check_place.is_settled(claims.ref) else None


def _checked(call: Call, claims: SignedPlace) -> Answer[PlaceReport]:
    services, ref = call.services, claims.ref
    if (early_ms := services.limits.early_by_ms(ref, now=call.asked_at)) > 0:
        services.limits.poll_early(early_ms, buyer_id=claims.buyer_id, address=call.address, now=call.asked_at)
    status = services.check_place.check(ref)
    services.limits.told(ref, status.place.poll_after_ms, now=status.now)
    return success_json(report_json(status), Cache.NOBODY)


@delete(
    "/queue/token",
    status_code=200,
    opt=Entry(
        tag="queue",
        summary="Leave the line",
        priority=Priority.RELEASE,
        needs=Needs.QUEUE_TOKEN,
        repeatable=True,
        example={"queuePosition": 0, "status": "EXPIRED"},
    ).opt,
)
async def leave_line(scope: Scope) -> Answer[LeftLine]:
    """End the place and let go what is held under it. A payment under way wins. Leaving twice is harmless."""
    call = call_of(scope)
    key = key_of(call)
    claims = call.claims()
    services = call.services
    await services.check_place.settled(claims.ref, signed=claims)
    ended = await services.under_way.settle(
        lambda: services.leave_line.leave(ref=claims.ref, key=key),
        buyer_id=claims.buyer_id,
        call=call.name,
        key=key,
        guard=services.breakers.of(Instance.QUEUE),
    )
    left = LeftLine(queue_position=ended.place.position, status=_WORDS[ended.place.state])
    return success(left, Cache.NOBODY, replayed=ended.replayed)


@get(
    "/queue/status",
    opt=Entry(
        tag="queue",
        summary="How a room stands, for everybody",
        priority=Priority.POLL,
        query=(Field(name="room", kind=str, description="Default `main`."),),
        refusals=(NO_ROOM,),
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
            "admissionPaused": False,
        },
    ).opt,
)
async def queue_status(scope: Scope) -> Answer[RoomDocument]:
    """One small document that anybody may read and any cache may keep for a second."""
    call = call_of(scope)
    room = Query(call).text("room")
    report = call.services.room_status.status(room_id=MAIN_ROOM if room is None else RoomId(room))
    return success(room_document(report), Cache.EVERYBODY_1_S)


def place_report(status: PlaceStatus) -> PlaceReport:
    """Return how the place stands, in the words of the wire."""
    place, now = status.place, status.now
    is_admitted = place.state is PlaceState.ADMITTED
    before_opening = status.room_state is RoomState.UPCOMING and status.room.opens_at is not None
    opens_at = status.room.opens_at if before_opening else None
    expires_at = _expires_at(place) if is_admitted else None
    supply = status.supply
    short = supply.free == 0
    is_stopped = supply.sale is not SaleState.OPEN
    return PlaceReport(
        queue_position=place.position,
        status=_WORDS[place.state],
        estimated_wait_seconds=0 if is_admitted else None if status.is_paused or is_stopped else _estimate(place),
        poll_after_ms=place.poll_after_ms,
        room_state=_ROOM_WORDS[status.room_state],
        opens_at=UNSET if opens_at is None else rfc3339(opens_at),
        opens_in_seconds=UNSET if opens_at is None else seconds_until(opens_at, now),
        expires_at=UNSET if expires_at is None else rfc3339(expires_at),
        expires_in_seconds=UNSET if expires_at is None else seconds_left(expires_at, now),
        idle_after_seconds=(
            seconds_left(place.idle_ends_at, now) if is_admitted and place.idle_ends_at is not None else UNSET
        ),
        sold_out=supply.held == 0 if short else UNSET,
        free=supply.free if short else UNSET,
        held=supply.held if short else UNSET,
        next_hold_ends_in_seconds=(
            seconds_until(supply.next_hold_ends_at, now) if short and supply.next_hold_ends_at is not None else UNSET
        ),
        admission_paused=status.is_paused or is_stopped or UNSET,
        sale_state=SALE_WORDS[supply.sale] if is_stopped else UNSET,
        stale=status.is_stale or UNSET,
    )


_PLAIN = b'{"queuePosition":%d,"status":"WAITING","estimatedWaitSeconds":%b,"pollAfterMs":%d,"roomState":"OPEN"}'


def report_json(status: PlaceStatus) -> bytes:
    """
    Return `place_report` as JSON.

    By hand where there is no more to tell than a crowd is told: nearly every
    answer of an evening is that one, and it takes a quarter of the time.
    """
    place, _, room_state, supply, _, is_paused, is_stale = status
    unusual = is_paused or is_stale or supply.free == 0 or supply.sale is not _ON_SALE
    if unusual or place.state is not _WAITING or room_state is not _OPEN:
        return msgspec.json.encode(place_report(status))
    wait_ms = place.estimated_wait_ms
    waits = b"null" if wait_ms is None else b"%d" % whole_seconds(wait_ms)
    return _PLAIN % (place.position, waits, place.poll_after_ms)


def room_document(report: RoomReport) -> RoomDocument:
    """Return how the room stands, in the words of the wire."""
    room, line, supply, now = report.room, report.line, report.supply, report.now
    before_opening = report.room_state is RoomState.UPCOMING and room.opens_at is not None
    opens_at = room.opens_at if before_opening else None
    return RoomDocument(
        room=room.id,
        room_state=report.room_state.value,
        serving_number=line.serving_number,
        last_number=line.last_number,
        waiting=line.waiting,
        active=line.active,
        max_active=room.policy.max_active,
        admitted_per_second=line.admitted_per_second,
        admitted_per_second_max=room.policy.rate,
        sold_out=supply.free == 0 and supply.held == 0,
        free=supply.free,
        held=supply.held,
        next_hold_ends_in_seconds=(
            seconds_until(supply.next_hold_ends_at, now) if supply.next_hold_ends_at is not None else UNSET
        ),
        opens_at=UNSET if opens_at is None else rfc3339(opens_at),
        opens_in_seconds=UNSET if opens_at is None else seconds_until(opens_at, now),
        closes_at=UNSET if room.closes_at is None else rfc3339(room.closes_at),
        polls_per_second=room.policy.polls_per_second,
        poll_after_ms=DOCUMENT_POLL_AFTER_MS,
        admission_paused=report.is_paused or supply.sale is not SaleState.OPEN,
        sale_state=UNSET if supply.sale is SaleState.OPEN else SALE_WORDS[supply.sale],
        stale=report.is_stale or UNSET,
    )


def _expires_at(place: PlaceView) -> Instant | None:
    """Return when the session ends in any case: with the last hold, if that ends later than the session itself."""
    if place.session_ends_at is None or place.holds_until is None:
        return place.session_ends_at
    return max(place.session_ends_at, place.holds_until)


def _estimate(place: PlaceView) -> int | None:
    return None if place.estimated_wait_ms is None else whole_seconds(place.estimated_wait_ms)
