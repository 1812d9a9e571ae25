"""Everything the edge calls: made by the composition root, handed to `create_app`, never reached for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from litestar import Router

from stagedoor.checkout.outcomes import Settled
from stagedoor.checkout.ports import BuyerRecords
from stagedoor.http.client_address import ClientAddress, Network
from stagedoor.http.deadlines import Deadlines
from stagedoor.http.identity import Identity
from stagedoor.http.limits import Limits
from stagedoor.http.listings import Listings
from stagedoor.http.load import Load
from stagedoor.http.tokens import QueueTokens
from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.clock import Clock
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.idempotency import IdempotencyKey
from stagedoor.kernel.ids import BuyerId, HoldId, PerformanceId, PlaceRef, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breakers import Breakers
from stagedoor.waiting_room.model import PlaceView, SignedPlace
from stagedoor.waiting_room.ports import Joined, PlaceEnded
from stagedoor.waiting_room.use_cases import PlaceStatus, RoomReport
from stagedoor.wallet.ports import Wallets

BODY_BYTES_MAX = 16_000
VENUE_TIME_ZONE = "Asia/Seoul"


class IssuesTokens(Protocol):
    """Gives a buyer her place in a room's line."""

    def issue(
        self, *, buyer_id: BuyerId, room_id: RoomId, key: IdempotencyKey | None
    ) -> asyncio.Future[Joined | Rejection]:
        """Ask for her living place or a new one; return what will hold it."""
        ...


class ChecksPlaces(Protocol):
    """Tells a buyer how her place stands."""

    def is_settled(self, ref: PlaceRef) -> bool:
        """Say whether it can be told without waiting."""
        ...

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None) -> None:
        """Return once it can be told."""
        ...

    def check(self, ref: PlaceRef) -> PlaceStatus:
        """Return the place, which is settled, with what surrounds it."""
        ...


class ReportsRooms(Protocol):
    """Tells everybody how a room stands."""

    def status(self, *, room_id: RoomId) -> RoomReport:
        """Return the room with its line and what is left in it."""
        ...


class EntersRooms(Protocol):
    """Lets the admitted, and nobody else, pass."""

    def is_settled(self, ref: PlaceRef) -> bool:
        """Say whether it can be decided without waiting."""
        ...

    async def settled(self, ref: PlaceRef, *, signed: SignedPlace | None = None) -> None:
        """Return once it can be decided."""
        ...

    def enter(self, ref: PlaceRef) -> PlaceView:
        """Return the place, which is settled, of somebody who is admitted."""
        ...


class RecognizesPlaces(Protocol):
    """Takes a genuine token as proof of who is asking."""

    async def recognize(self, *, ref: PlaceRef, signed: SignedPlace | None = None) -> None:
        """Note her presence. Raises `UnknownPlace` if the place was revoked or forgotten."""
        ...


class LeavesLine(Protocol):
    """Takes a buyer out of the line."""

    async def leave(self, *, ref: PlaceRef, key: IdempotencyKey | None) -> PlaceEnded:
        """End the place and let its holds go."""
        ...


class ReservesSeats(Protocol):
    """Keeps seats for a buyer."""

    async def reserve(
        self,
        *,
        ref: PlaceRef,
        buyer_id: BuyerId,
        performance_id: PerformanceId,
        seat_ids: Sequence[SeatId],
        key: IdempotencyKey | None,
    ) -> Settled:
        """Return the hold's receipt."""
        ...


class ReleasesSeats(Protocol):
    """Lets a hold's seats go."""

    async def release(self, *, hold_id: HoldId, buyer_id: BuyerId, key: IdempotencyKey | None) -> Settled:
        """Return the release's receipt."""
        ...


class TakesPayment(Protocol):
    """Turns a hold into an order."""

    async def pay(self, *, hold_id: HoldId, buyer_id: BuyerId, key: IdempotencyKey | None) -> Settled:
        """Return the order's receipt."""
        ...


class ChargesWallets(Protocol):
    """Credits a wallet."""

    async def charge(
        self, *, buyer_id: BuyerId, amount_won: Won, by_shop: str | None = None, key: IdempotencyKey | None
    ) -> Settled:
        """Return the transfer's receipt."""
        ...


class Mates(Protocol):
    """The other processes of one command, which share a socket: a client cannot choose whom she asks."""

    @property
    def number(self) -> int:
        """The number of this process."""
        ...

    async def ask_others(self, question: bytes) -> Mapping[int, bytes | None]:
        """Put *question*, a word and what it is about, to each; None for one that does not answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """
    The use cases, the ports the edge only reads from, and its settings.

    *clock* is the machine's; *service_clock* judges the deadlines that buyers
    are told, and stands still over an outage. *scrape* returns the page of
    metrics, and its media type, for what a client accepts. *ready* says of each part of the
    process `ok`, or in a word why not. *draining* is true once the process is
    on its way out. *authorize_view* says whether a request's headers carry an
    operator's key; *public_bind* whether others than this machine can reach
    the server; *trusted_proxies* may say on whose behalf they ask. *load* puts
    calls off when there are too many. *ops* are
    the operators' calls, which answer as if they were not there while no key
    is configured; None for an app without them.
    """

    clock: Clock
    service_clock: Clock
    tokens: QueueTokens
    identity: Identity
    limits: Limits
    metrics: Metrics
    load: Load
    under_way: UnderWay
    scrape: Callable[[str | None], Awaitable[tuple[bytes, str]]]
    listings: Listings
    issue_token: IssuesTokens
    check_place: ChecksPlaces
    room_status: ReportsRooms
    enter_room: EntersRooms
    recognize_place: RecognizesPlaces
    leave_line: LeavesLine
    reserve_seats: ReservesSeats
    release_seats: ReleasesSeats
    pay: TakesPayment
    charge: ChargesWallets
    wallets: Wallets
    buyer_records: BuyerRecords
    breakers: Breakers
    ready: Callable[[], Awaitable[Mapping[str, str]]]
    draining: Callable[[], bool]
    authorize_view: Callable[[Mapping[str, str], ClientAddress], Awaitable[bool]]
    ops: Router | None = None
    fleet: Mates | None = None
    public_bind: bool = False
    trusted_proxies: Sequence[Network] = ()
    time_zone: str = VENUE_TIME_ZONE
    body_bytes_max: int = BODY_BYTES_MAX
    deadlines: Deadlines = field(default_factory=Deadlines)
