"""What is on, and which seats are free: the lists that crowds read."""

from litestar import get
from litestar.types import Scope

from stagedoor.http.answer import Answer
from stagedoor.http.call import Call, call_of
from stagedoor.http.contract import Entry, Field, Needs
from stagedoor.http.problems import NO_SCHEDULE, PLACE_OVER, STILL_WAITING
from stagedoor.http.reading import Query
from stagedoor.http.wire import ConcertItem, Id, ScheduleItem, SeatItem
from stagedoor.kernel.ids import PerformanceId
from stagedoor.resilience.priority import Priority
from stagedoor.waiting_room.rejections import PlaceIsOver, StillWaiting

_ALL = Field(name="status", kind=str, description="`all` shows what is gone too; default `available`.")


@get(
    "/concerts",
    opt=Entry(
        tag="concerts",
        summary="What is on",
        priority=Priority.POLL,
        listing=True,
        quiet=True,
        example=[
            {
                "scheduleId": 1,
                "room": "main",
                "concertTitle": "Club night",
                "venue": "The cellar",
                "openDate": "2027-01-09",
                "startTime": "18:00",
                "endTime": "20:30",
                "timeZone": "Asia/Seoul",
                "startsAt": "2027-01-09T09:00:00.000Z",
                "endsAt": "2027-01-09T11:30:00.000Z",
                "seats": 50,
                "amountFrom": 50_000,
                "amountTo": 50_000,
            }
        ],
    ).opt,
)
async def list_concerts(scope: Scope) -> Answer[list[ConcertItem]]:
    """List what is still to come, with dates and prices, ordered by start; nobody has to be admitted."""
    call = call_of(scope)
    listed = await call.services.listings.concerts()
    return await listed.answer(call.headers)


@get(
    "/concerts/schedule",
    opt=Entry(
        tag="concerts",
        summary="The room's schedule",
        priority=Priority.READ,
        needs=Needs.QUEUE_TOKEN,
        refusals=(STILL_WAITING, PLACE_OVER),
        query=(_ALL,),
        listing=True,
        quiet=True,
        example=[
            {
                "scheduleId": 1,
                "concertTitle": "Club night",
                "openDate": "2027-01-09",
                "startTime": "18:00",
                "endTime": "20:30",
                "seatStatus": "AVAILABLE",
                "venue": "The cellar",
                "timeZone": "Asia/Seoul",
                "startsAt": "2027-01-09T09:00:00.000Z",
                "endsAt": "2027-01-09T11:30:00.000Z",
            }
        ],
    ).opt,
)
async def list_schedule(scope: Scope) -> Answer[list[ScheduleItem]]:
    """List what is still to come in the token's room and not sold out, ordered by start, then id."""
    call = call_of(scope)
    everything = Query(call).everything()
    claims = call.claims()
    ref = claims.ref
    await call.services.enter_room.settled(ref, signed=claims)
    call.services.enter_room.enter(ref)
    listed = await call.services.listings.schedule(ref.room_id, everything=everything)
    return await listed.answer(call.headers)


def schedule_at_once(call: Call) -> Answer[list[ScheduleItem]] | None:
    """Answer as `list_schedule`, None where that would have to wait."""
    everything = Query(call).everything()
    ref = call.claims().ref
    services = call.services
    if not services.enter_room.is_settled(ref):
        return None
    services.enter_room.enter(ref)
    listed = services.listings.schedule_at_once(ref.room_id, everything=everything)
    return None if listed is None else listed.answer_at_once(call.headers)


@get(
    "/concerts/seat",
    opt=Entry(
        tag="concerts",
        summary="A schedule's seats",
        priority=Priority.READ,
        needs=Needs.QUEUE_TOKEN,
        refusals=(STILL_WAITING, NO_SCHEDULE, PLACE_OVER),
        query=(Field(name="scheduleId", kind=Id, description="Of the schedule.", required=True), _ALL),
        listing=True,
        quiet=True,
        example=[
            {
                "seatId": 1,
                "position": 1,
                "amount": 50_000,
                "section": "A",
                "row": "1",
                "number": 1,
                "zone": "standing",
                "seatStatus": "AVAILABLE",
            }
        ],
    ).opt,
)
async def list_seats(scope: Scope) -> Answer[list[SeatItem]]:
    """List the free seats, ordered by position; with `status=all` every seat and how it stands."""
    call = call_of(scope)
    performance_id, everything = _asked(call)
    claims, services = call.claims(), call.services
    ref = claims.ref
    await services.enter_room.settled(ref, signed=claims)
    try:
        services.enter_room.enter(ref)
    except (PlaceIsOver, StillWaiting):
        # What does not exist is said before what is not allowed; a bad token, above, comes before both.
        await services.listings.look_for(ref.room_id, performance_id)
        raise
    listed = await services.listings.seats(ref.room_id, performance_id, everything=everything)
    return await listed.answer(call.headers)


def seats_at_once(call: Call) -> Answer[list[SeatItem]] | None:
    """Answer as `list_seats`, None where that would have to wait."""
    performance_id, everything = _asked(call)
    ref = call.claims().ref
    services = call.services
    if not services.enter_room.is_settled(ref):
        return None
    try:
        services.enter_room.enter(ref)
    except (PlaceIsOver, StillWaiting):
        if not services.listings.look_for_at_once(ref.room_id, performance_id):
            return None
        raise
    listed = services.listings.seats_at_once(ref.room_id, performance_id, everything=everything)
    return None if listed is None else listed.answer_at_once(call.headers)


def _asked(call: Call) -> tuple[PerformanceId, bool]:
    query = Query(call)
    return PerformanceId(query.required_id("scheduleId")), query.everything()
