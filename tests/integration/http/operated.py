"""A server with one room over a real database, for the operators' calls; what they never touch is not there."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
from sqlalchemy import Connection, insert

from stagedoor.adapters.embedded.line import EmbeddedLine
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.guarding import GuardedLanes
from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.audit import SqlAuditTrail
from stagedoor.adapters.sql.audit_pen import SqlAuditPen
from stagedoor.adapters.sql.member_desk import SqlMemberDesk
from stagedoor.adapters.sql.operator_keys import SqlOperatorKeys
from stagedoor.adapters.sql.room_changes import SqlRoomDesk
from stagedoor.adapters.sql.sale_switches import SqlSwitchBook, SqlSwitchDesk
from stagedoor.adapters.sql.sales_book import SqlSalesBook
from stagedoor.adapters.sql.tables import member, wallet
from stagedoor.adapters.sql.tables import room as room_table
from stagedoor.checkout.use_cases import Charge, CloseLeftPlace, SettleSale
from stagedoor.holds.model import HoldPolicy
from stagedoor.http.app import create_app
from stagedoor.http.identity import DemoIdentity
from stagedoor.http.limits import LimitPolicy, Limits
from stagedoor.http.load import Load
from stagedoor.http.operators import OperatorGate
from stagedoor.http.ops import ops_router
from stagedoor.http.ops_desk import OpsDesk
from stagedoor.http.services import Mates, Services
from stagedoor.http.tokens import QueueTokens, signing_key
from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.ids import BuyerId, RoomId
from stagedoor.observability.metrics import Metrics
from stagedoor.operators.model import Role
from stagedoor.operators.steering import SteerBreakers
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.seating.switch import ReadSwitches, TurnSwitch
from stagedoor.waiting_room.model import PlaceView
from stagedoor.waiting_room.ports import Join, Joined, Rooms, RoomSupply, Supply
from stagedoor.waiting_room.revoking import RevokePlace
from stagedoor.waiting_room.room import Room, RoomDefaults, RoomPolicy, RoomState
from stagedoor.waiting_room.use_cases import CheckPlace, RoomStatus
from tests.builders.guards import NS_PER_MS

NOON = Instant(1_800_000_000_000)
MAIN = Room(id=RoomId("main"), name="Main", state=RoomState.OPEN, policy=RoomPolicy())
NEVER: Any = None
"""What no operators' call touches."""


class OneRoom(Rooms):
    """The process's own picture of the rooms: one, that never changes."""

    def get(self, room_id: RoomId) -> Room | None:
        return MAIN if room_id == MAIN.id else None

    def all(self) -> Sequence[Room]:
        return [MAIN]


class NineSeats(Supply):
    """What the sale has left: always the same."""

    def of(self, room_id: RoomId) -> RoomSupply:
        del room_id
        return RoomSupply(free=9, held=1, next_hold_ends_at=None)


@dataclass(frozen=True)
class House:
    """A server with one room and its database."""

    client: httpx.AsyncClient
    file: SqliteFile
    clock: ManualClock
    keys: SqlOperatorKeys
    line: EmbeddedLine
    tokens: QueueTokens
    breakers: Breakers
    pen: SqlAuditPen

    async def key(self, role: Role) -> dict[str, str]:
        secret = await self.keys.create_key(f"a-{role.value}", role, actor="cli:root")
        self.clock.advance(1_000)
        return {"authorization": f"Bearer {secret}"}

    async def join(self, buyer: int) -> PlaceView:
        [joined] = await self.line.join([Join(room=MAIN, buyer_id=BuyerId(buyer))])
        assert isinstance(joined, Joined)
        return joined.place

    async def check(self, place: PlaceView) -> httpx.Response:
        headers = {"authorization": self.tokens.issue(place)}
        return await self.client.post("/v1/api/queue/token/check", headers=headers)

    async def audit(self, action: str) -> list[tuple[str, str, Any]]:
        records = await SqlAuditTrail(self.file).newest(limit=100)
        return [
            (record.entry.actor, record.entry.subject, record.entry.detail)
            for record in reversed(records)
            if record.entry.action == action
        ]


def _lay_out(connection: Connection) -> None:
    schema.upgrade(connection)
    connection.execute(insert(room_table).values(id="main", name="Main", state="OPEN", version=1))
    connection.execute(insert(member).values(id=42, created_at=NOON))
    connection.execute(insert(wallet).values(buyer_id=42, balance_won=1_000))


T = TypeVar("T")
R = TypeVar("R")


def one_by_one(handle: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> Callable[[T], Awaitable[R]]:
    async def handle_one(command: T) -> R:
        [outcome] = await handle([command])
        return outcome

    return handle_one


async def is_ready() -> dict[str, str]:
    return {"line": "ok"}


async def _laid_out(path: Path) -> None:
    file = SqliteFile(path)
    async with file.writing() as transaction:
        await transaction.run(_lay_out)
        await transaction.commit(proof=lambda _: True)
    await file.close()


def lay_out(folder: Path) -> Path:
    """Make the database, to be copied for every test."""
    path = folder / "stagedoor.db"
    asyncio.run(_laid_out(path))
    return path


def _services(  # noqa: PLR0913 -- what an operator touches
    desk: OpsDesk,
    *,
    clock: ManualClock,
    line: EmbeddedLine,
    tokens: QueueTokens,
    charge: Charge,
    fleet: Mates | None,
) -> Services:
    metrics = Metrics()
    return Services(
        clock=clock,
        service_clock=clock,
        tokens=tokens,
        identity=DemoIdentity(),
        limits=Limits(LimitPolicy()),
        metrics=metrics,
        load=Load(metrics, target_s=60),
        under_way=UnderWay(),
        scrape=metrics.scrape,
        listings=NEVER,
        issue_token=NEVER,
        check_place=CheckPlace(line=line, rooms=desk.rooms, supply=NineSeats(), clock=clock),
        room_status=RoomStatus(line=line, rooms=desk.rooms, supply=NineSeats(), clock=clock),
        enter_room=NEVER,
        recognize_place=NEVER,
        leave_line=NEVER,
        reserve_seats=NEVER,
        release_seats=NEVER,
        pay=NEVER,
        charge=charge,
        wallets=NEVER,
        buyer_records=NEVER,
        breakers=desk.steer_breakers.breakers,
        ready=is_ready,
        draining=lambda: False,
        authorize_view=desk.gate.may_view,
        ops=ops_router(desk),
        fleet=fleet,
        public_bind=True,
    )


@asynccontextmanager
async def an_open_house(laid_out: Path, folder: Path, *, fleet: Mates | None = None) -> AsyncIterator[House]:
    file = SqliteFile(Path(shutil.copy(laid_out, folder / "stagedoor.db")))
    clock = ManualClock(NOON)
    keys = SqlOperatorKeys(file, clock)
    gate = OperatorGate(keys, clock)
    tokens = QueueTokens([signing_key(b"0123456789abcdef0123456789abcdef")], "epoch")
    rooms = OneRoom()
    line = EmbeddedLine(lanes=file, clock=clock, rooms=rooms)
    await line.restore(at=NOON)
    numbers = count(1)
    sale = SettleSale(book=SqlSalesBook(file, clock), policy=HoldPolicy(), event_ids=lambda _: next(numbers))
    settle = one_by_one(sale.settle)
    breakers = Breakers({}, now_ns=lambda: clock.now() * NS_PER_MS)
    lanes = GuardedLanes(file, writes=breakers.of(Instance.DATABASE), reads=breakers.of(Instance.DATABASE_READS))
    pen = SqlAuditPen(lanes)
    breakers.of(Instance.SALE)
    desk = OpsDesk(
        gate=gate,
        rooms=rooms,
        room_desk=SqlRoomDesk(file, clock, defaults=RoomDefaults()),
        revoke_place=RevokePlace(end=one_by_one(line.end), close_place=CloseLeftPlace(settle=settle).close),
        member_desk=SqlMemberDesk(file, clock),
        audit=SqlAuditTrail(file),
        turn_switch=TurnSwitch(desk=SqlSwitchDesk(file, clock), switches=ReadSwitches(SqlSwitchBook(file))),
        steer_breakers=SteerBreakers(breakers=breakers, pen=pen, clock=clock),
    )
    charge = Charge(settle=settle, new_id=lambda: next(numbers), fans_may_charge=False)
    services = _services(desk, clock=clock, line=line, tokens=tokens, charge=charge, fleet=fleet)
    transport = httpx.ASGITransport(cast("Any", create_app(services)))
    async with httpx.AsyncClient(transport=transport, base_url="http://stagedoor") as client:
        yield House(
            client=client,
            file=file,
            clock=clock,
            keys=keys,
            line=line,
            tokens=tokens,
            breakers=breakers,
            pen=pen,
        )
    await line.idle()
    await file.close()


def data_of(answer: httpx.Response) -> Any:  # noqa: ANN401 -- JSON
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["resultType"], body["exception"]) == ("SUCCESS", {})
    return body["data"]


def refusal_of(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert (body["resultType"], body["data"]) == ("FAIL", {})
    return answer.status_code, body["exception"]["code"]
