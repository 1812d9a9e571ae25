"""The ASGI app with everything behind it faked: what a use case answers is put there by the test."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar

from stagedoor.checkout.outcomes import Settled
from stagedoor.checkout.ports import BuyerRecords
from stagedoor.checkout.rows import Order
from stagedoor.holds.model import Hold
from stagedoor.http.app import create_app
from stagedoor.http.client_address import ClientAddress
from stagedoor.http.identity import DemoIdentity
from stagedoor.http.kept import Fallback
from stagedoor.http.limits import LimitPolicy, Limits
from stagedoor.http.listings import Listings
from stagedoor.http.load import Load
from stagedoor.http.services import Services
from stagedoor.http.tokens import QueueTokens, signing_key
from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.clock import HOUR_MS, MINUTE_MS, SECOND_MS, Instant, ManualClock, later
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import BuyerId, PerformanceId, PlaceRef, QueueNumber, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.seating.model import Availability, Claims, Performance, Seat, SeatState
from stagedoor.seating.ports import SeatingPlan
from stagedoor.waiting_room.model import LineView, PlaceState, PlaceView, SignedPlace
from stagedoor.waiting_room.ports import Joined, PlaceEnded, RoomSupply
from stagedoor.waiting_room.rejections import UnknownPlace
from stagedoor.waiting_room.room import Room, RoomPolicy, RoomState
from stagedoor.waiting_room.use_cases import PlaceStatus, RoomReport
from stagedoor.wallet.model import Transfer
from stagedoor.wallet.ports import Wallets

NOON = Instant(1_798_859_045_678)
"""2027-01-02T03:04:05.678Z: noon and some at the venue in Seoul."""

MAIN = RoomId("main")
ALICE = BuyerId(7)
SECRET = bytes(range(32))
CLUB_NIGHT = PerformanceId(1)
OVER = PerformanceId(2)
ELSEWHERE = PerformanceId(3)
SOLD_OUT = PerformanceId(4)
STALE_LIST_MS_MAX = MINUTE_MS


class Out(Fault):
    """The database is out."""


def a_place(  # noqa: PLR0913 -- one argument for each thing a buyer sees
    *,
    number: int = 31,
    state: PlaceState = PlaceState.WAITING,
    position: int = 30,
    room_id: RoomId = MAIN,
    session_ends_at: Instant | None = None,
    idle_ends_at: Instant | None = None,
    holds_until: Instant | None = None,
    estimated_wait_ms: int | None = 12_001,
) -> PlaceView:
    return PlaceView(
        ref=PlaceRef(room_id=room_id, number=QueueNumber(number)),
        buyer_id=ALICE,
        state=state,
        position=position,
        token_expires_at=later(NOON, 7 * 24 * HOUR_MS),
        poll_after_ms=2_000,
        estimated_wait_ms=estimated_wait_ms,
        session_ends_at=session_ends_at,
        idle_ends_at=idle_ends_at,
        holds_until=holds_until,
    )


def an_admitted_place() -> PlaceView:
    return a_place(
        state=PlaceState.ADMITTED,
        position=0,
        session_ends_at=later(NOON, 10 * MINUTE_MS),
        idle_ends_at=later(NOON, 30 * SECOND_MS),
    )


def a_room(*, state: RoomState = RoomState.OPEN, opens_at: Instant | None = None) -> Room:
    return Room(id=MAIN, name="Main", state=state, policy=RoomPolicy(), opens_at=opens_at)


def lag(load: Load) -> None:
    """Have the loop found late until nobody more is put off for it."""
    for _ in range(100):
        load._lag.observe(1_000)  # noqa: SLF001 -- to be really late takes as long


def a_supply(*, free: int = 812, held: int = 96, next_hold_ends_at: Instant | None = None) -> RoomSupply:
    return RoomSupply(free=free, held=held, next_hold_ends_at=next_hold_ends_at)


def a_line() -> LineView:
    return LineView(
        room_id=MAIN, serving_number=1_200, last_number=48_000, waiting=45_210, active=500, admitted_per_second=20.5
    )


def a_performance(
    performance_id: PerformanceId,
    *,
    starts_in_ms: int = 24 * HOUR_MS,
    room_id: RoomId = MAIN,
    title: str = "Club night",
) -> Performance:
    starts_at = later(NOON, starts_in_ms)
    return Performance(
        id=performance_id,
        room_id=room_id,
        title=title,
        venue="The cellar",
        starts_at=starts_at,
        ends_at=later(starts_at, 150 * MINUTE_MS),
        time_zone="Asia/Seoul",
        seat_count=3,
        price_from_won=Won(50_000),
        price_to_won=Won(70_000),
    )


class FakeDoor:
    """All of the waiting room's use cases; each answers what lies in its attribute, or raises it."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.asked: list[dict[str, Any]] = []
        self.recognized: list[PlaceRef] = []
        self.revoked: set[PlaceRef] = set()
        self.undecided: set[PlaceRef] = set()
        self.refusal: Exception | None = None
        self.place = an_admitted_place()
        self.room = a_room()
        self.supply = a_supply()
        self.replayed = False
        self.is_paused = False
        self.is_stale = False

    def _take(self, **asked: Any) -> None:  # noqa: ANN401 -- whatever it was asked
        self.asked.append(asked)
        if self.refusal is not None:
            raise self.refusal

    async def issue(self, **asked: Any) -> Joined:  # noqa: ANN401
        self._take(**asked)
        return Joined(place=self.place, replayed=self.replayed)

    def is_settled(self, ref: PlaceRef, *, entering: bool = False) -> bool:
        return ref not in self.undecided

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None, entering: bool = False) -> None:
        """Wait for nothing: by the time anybody has asked, it is decided."""

    def check(self, ref: PlaceRef) -> PlaceStatus:
        self._take(ref=ref)
        now = self._clock.now()
        return PlaceStatus(
            place=self.place,
            room=self.room,
            room_state=self.room.state_at(now),
            supply=self.supply,
            now=now,
            is_paused=self.is_paused,
            is_stale=self.is_stale,
        )

    def status(self, *, room_id: RoomId) -> RoomReport:
        self._take(room_id=room_id)
        now = self._clock.now()
        return RoomReport(
            room=self.room,
            room_state=self.room.state_at(now),
            supply=self.supply,
            line=a_line(),
            now=now,
            is_paused=self.is_paused,
            is_stale=self.is_stale,
        )

    def enter(self, ref: PlaceRef) -> PlaceView:
        self._take(ref=ref)
        return self.place

    async def recognize(self, *, ref: PlaceRef, signed: SignedPlace | None = None) -> None:
        """Know every place that was not revoked; what else is asked with the token is another fake's affair."""
        self.recognized.append(ref)
        if ref in self.revoked:
            raise UnknownPlace

    async def leave(self, **asked: Any) -> PlaceEnded:  # noqa: ANN401
        self._take(**asked)
        return PlaceEnded(place=self.place, was_admitted=True, replayed=self.replayed)


class FakeTill:
    """All of the sale's use cases; each call takes the next of *outcomes*, and returns or raises it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.outcomes: deque[Settled | Exception] = deque()

    def _next(self, asked: dict[str, Any]) -> Settled:
        self.asked.append(asked)
        outcome = self.outcomes.popleft()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def reserve(self, **asked: Any) -> Settled:  # noqa: ANN401
        return self._next(asked)

    async def release(self, **asked: Any) -> Settled:  # noqa: ANN401
        return self._next(asked)

    async def pay(self, **asked: Any) -> Settled:  # noqa: ANN401
        return self._next(asked)

    async def charge(self, **asked: Any) -> Settled:  # noqa: ANN401
        return self._next(asked)


class FakeSeating(SeatingPlan):
    """Four performances; *states* are the claims of the club night. It counts how often it is read."""

    def __init__(self) -> None:
        self.shows: list[Performance] = [
            a_performance(OVER, starts_in_ms=-24 * HOUR_MS),
            a_performance(CLUB_NIGHT),
            a_performance(ELSEWHERE, room_id=RoomId("other")),
            a_performance(SOLD_OUT, starts_in_ms=48 * HOUR_MS, title="Gone"),
        ]
        self.states: dict[SeatId, SeatState] = {}
        self.next_hold_ends_at: Instant | None = None
        self.is_out = False
        self.reads = 0

    def _read(self) -> None:
        self.reads += 1
        if self.is_out:
            raise Out("the database is out")

    async def performances(self) -> Sequence[Performance]:
        self._read()
        return list(self.shows)

    async def seats(self, performance_id: PerformanceId) -> Sequence[Seat]:
        self._read()
        return [
            Seat(
                id=SeatId(performance_id * 10 + position),
                position=position,
                section="A",
                row="1",
                number=position,
                zone="standing",
                price_won=Won(50_000),
            )
            for position in (1, 2, 3)
        ]

    async def claims(self, performance_id: PerformanceId, *, at: Instant) -> Claims:
        self._read()
        return Claims(
            performance_id=performance_id,
            as_of=at,
            states=dict(self.states),
            next_hold_ends_at=self.next_hold_ends_at,
        )

    async def availability(self, *, at: Instant) -> Mapping[PerformanceId, Availability]:
        self._read()
        return {
            show.id: Availability(
                performance_id=show.id,
                free=0 if show.id == SOLD_OUT else 3,
                held=0,
                sold=3 if show.id == SOLD_OUT else 0,
                blocked=0,
                next_hold_ends_at=None,
            )
            for show in self.shows
        }


class FakeWallets(Wallets):
    """One balance and its transfers; None for nobody's."""

    def __init__(self) -> None:
        self.won: Won | None = Won(300_000)
        self.transfers: list[Transfer] = []

    async def balance(self, buyer_id: BuyerId) -> Won | None:
        return self.won

    async def ledger(self, buyer_id: BuyerId, *, limit: int) -> Sequence[Transfer]:
        return self.transfers[:limit]


class FakeRecords(BuyerRecords):
    """Holds and orders, newest first."""

    def __init__(self) -> None:
        self.holds: list[Hold] = []
        self.orders: list[tuple[Order, Hold]] = []

    async def holds_of(self, buyer_id: BuyerId, *, limit: int) -> Sequence[Hold]:
        return self.holds[:limit]

    async def orders_of(self, buyer_id: BuyerId, *, limit: int) -> Sequence[tuple[Order, Hold]]:
        return self.orders[:limit]

    async def open_holds(self, *, at: Instant) -> Sequence[Hold]:
        return [hold for hold in self.holds if hold.is_open_at(at)]


class Stage:
    """Everything a test moves, and the app over it."""

    def __init__(self, *, deadline_ms: int = 10_000, policy: LimitPolicy | None = None, **settings: Any) -> None:  # noqa: ANN401
        self.clock = ManualClock(NOON)
        self.tokens = QueueTokens([signing_key(SECRET)], epoch="first")
        self.metrics = Metrics()
        self.load = Load(self.metrics, target_s=60)
        self.door = FakeDoor(self.clock)
        self.till = FakeTill()
        self.seating = FakeSeating()
        self.wallets = FakeWallets()
        self.records = FakeRecords()
        self.breakers = Breakers({}, now_ns=lambda: self.clock.now() * 1_000_000)
        self.listings = Listings(
            self.seating,
            self.clock,
            Fallback(machine_clock=self.clock, stale_ms_max=STALE_LIST_MS_MAX),
            count=self.metrics.count_cache,
            guard=self.breakers.of(Instance.CONCERT),
        )
        self.parts = {"database": "ok", "line": "ok"}
        self.is_draining = False
        self.operators: set[str] = set()
        parts: dict[str, Any] = {
            "clock": self.clock,
            "service_clock": self.clock,
            "tokens": self.tokens,
            "identity": DemoIdentity(),
            "limits": Limits(policy or LimitPolicy(loopback_exempt=True)),
            "metrics": self.metrics,
            "load": self.load,
            "scrape": self.metrics.scrape,
            "listings": self.listings,
            "issue_token": self.door,
            "check_place": self.door,
            "room_status": self.door,
            "enter_room": self.door,
            "recognize_place": self.door,
            "leave_line": self.door,
            "reserve_seats": self.till,
            "release_seats": self.till,
            "pay": self.till,
            "charge": self.till,
            "wallets": self.wallets,
            "buyer_records": self.records,
            "breakers": self.breakers,
            "ready": self._ready,
            "draining": lambda: self.is_draining,
            "authorize_view": self._may_view,
            "under_way": UnderWay(deadline_ms),
        }
        self.services = Services(**{**parts, **settings})
        self.app: Litestar = create_app(self.services)

    def token(self, place: PlaceView | None = None) -> str:
        """Return the queue token of a place."""
        return self.tokens.issue(place or self.door.place)

    async def _ready(self) -> Mapping[str, str]:
        return self.parts

    async def _may_view(self, headers: Mapping[str, str], _address: ClientAddress) -> bool:
        return headers.get("authorization") in self.operators
