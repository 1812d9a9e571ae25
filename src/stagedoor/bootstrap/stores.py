"""The adapters over one database, and what they know before the first request."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog

from stagedoor.adapters.batching import Batcher, Handler
from stagedoor.adapters.sql.audit_pen import SqlAuditPen
from stagedoor.adapters.sql.buyer_records import SqlBuyerRecords
from stagedoor.adapters.sql.clock_stop import SqlClockStop
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.members import SqlMembers
from stagedoor.adapters.sql.outbox import SqlOutbox, SqlOutboxLeftovers
from stagedoor.adapters.sql.room_book import SqlRoomBook
from stagedoor.adapters.sql.sale_leftovers import SqlSaleLeftovers
from stagedoor.adapters.sql.sale_switches import SqlSwitchBook
from stagedoor.adapters.sql.sales_book import SqlSalesBook
from stagedoor.adapters.sql.seating_plan import SqlSeatingPlan
from stagedoor.adapters.sql.supply import SqlSupply
from stagedoor.bootstrap.database import Database
from stagedoor.bootstrap.events import BrokerRelay, broker_relay, relay_lease
from stagedoor.bootstrap.lines import HouseLine, OpenedLine, open_line
from stagedoor.bootstrap.passage import passage
from stagedoor.bootstrap.random_bits import PooledBits
from stagedoor.bootstrap.standstill import Standstill, standstill
from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.events import OrderPaid
from stagedoor.checkout.line_subscriber import TellTheLine
from stagedoor.checkout.outcomes import Outcome
from stagedoor.checkout.use_cases import SettleSale, TidyHolds
from stagedoor.http.kept import Fallback
from stagedoor.http.listings import Listings
from stagedoor.kernel.clock import SECOND_MS, Clock, Outage, ServiceClock
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.ids import NewId, PerformanceId, new_ids
from stagedoor.kernel.lease import Leadership, Lease, OnlyProcess
from stagedoor.observability.breaker_log import log_breaker
from stagedoor.observability.metrics import Metrics
from stagedoor.outbox.model import Outlet
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.seating.switch import ReadSwitches
from stagedoor.settings import Settings
from stagedoor.settings.units import milliseconds
from stagedoor.waiting_room.ports import EndPlace, Join, Joined, PlaceEnded
from stagedoor.waiting_room.rooms import ReadRooms
from stagedoor.waiting_room.use_cases import JoinMembers
from stagedoor.workers.clock_watch import ClockWatch
from stagedoor.workers.disk import DiskWatch, RemoteDisk

log = structlog.get_logger(__name__)

Command = TypeVar("Command")
Result = TypeVar("Result")

BATCH_MAX = 256
WAITING_MAX = 10_000
UNTOLD_MAX = 10_000
"""How many events are told before the first request at most; as many as a relay that was well has never left."""


@dataclass(frozen=True, kw_only=True)
class Stores:
    """
    The adapters over one database.

    *settle*, *join* and *end* gather single commands into batches;
    they run once a supervisor owns them. *relay_wake* is set by every commit
    that wrote an event. *broker* is where events go beside that, None without
    Kafka, or where another process sees to it. *line_lease* is who may tell the
    line, None where there is one process only. *clock* judges deadlines and stands still while nobody can be
    served, *machine_clock* does not.
    """

    lanes: Lanes
    clock: ServiceClock
    machine_clock: Clock
    metrics: Metrics
    breakers: Breakers
    disk: DiskWatch | RemoteDisk
    rooms: ReadRooms
    line: HouseLine
    opened_line: OpenedLine
    switches: ReadSwitches
    supply: SqlSupply
    outbox: SqlOutbox
    line_lease: Lease | None
    old_events: SqlOutboxLeftovers
    leftovers: SqlSaleLeftovers
    clock_stop: SqlClockStop
    clock_watch: ClockWatch | None
    records: SqlBuyerRecords
    audit_pen: SqlAuditPen
    listings: Listings
    tidy: TidyHolds
    settle: Batcher[SaleCommand, Outcome]
    join: Batcher[Join, Joined | Rejection]
    end: Batcher[EndPlace, PlaceEnded | Rejection]
    relay_wake: asyncio.Event
    broker: BrokerRelay | None
    new_id: NewId
    closing: AsyncExitStack

    @property
    def is_database_out(self) -> bool:
        """Whether nothing can be written: by the breaker before the database, or because nothing was for too long."""
        return self.breakers.of(Instance.DATABASE).refuses or (self.clock.stands and not self.clock.is_stopped)

    @property
    def leads(self) -> Leadership:
        """Whether this process does what one at a time has to."""
        return OnlyProcess() if self.line_lease is None else self.line_lease

    @property
    def is_sure_of_time(self) -> bool:
        """Whether it is known here what time it is where deadlines are judged."""
        return self.clock_watch is None or self.clock_watch.is_sure

    @property
    def batchers(self) -> Mapping[str, Batcher[Any, Any]]:
        """What gathers single commands, by name; each has to be run."""
        return {"settle": self.settle, "join": self.join, "end": self.end}


async def open_stores(settings: Settings, database: Database, breakers: Breakers) -> Stores:
    """Make the adapters over *database*, and read the rooms and what is left in them."""
    machine_clock, metrics = database.clock, _told_of(breakers)
    disk = _disk(settings, machine_clock, metrics)

    def committed(performance_ids: frozenset[PerformanceId]) -> None:
        supply.touch(performance_ids)
        listings.changed(performance_ids)

    def given_back(outage: Outage) -> None:
        opened_line.line.give_back(outage)
        supply.touch()
        listings.changed_everywhere()
        events_written()
        metrics.outage_credited.inc(outage.credited_ms / SECOND_MS)
        log.info("server.outage_credited", outage_ms=outage.credited_ms)

    # Before everything else, the sign of life too: while nobody may use the database, nobody can be served.
    guarded = passage(settings, database.lanes, breakers, metrics, mind=disk.mind)
    still = standstill(settings, machine_clock, guarded, breakers, given_back)
    clock, lanes = still.clock, still.lanes
    relay_wake = asyncio.Event()
    broker = broker_relay(settings, lanes, machine_clock, breakers)
    events_written = _waking(relay_wake, None if broker is None else broker.wake)
    line_lease = relay_lease(Outlet.LINE, lanes, machine_clock) if settings.is_cluster else None
    rooms = ReadRooms(SqlRoomBook(lanes, settings.room_defaults))
    audit_pen, closing = SqlAuditPen(lanes), AsyncExitStack()
    opened_line = await open_line(settings, still, audit_pen, rooms, breakers, closing)
    switches = ReadSwitches(SqlSwitchBook(lanes))
    supply = SqlSupply(lanes, clock, switches.now)
    listings = _listings(settings, still, metrics, breakers)
    random_bits = PooledBits()
    for_broker = settings.kafka_bootstrap is not None
    book = SqlSalesBook(lanes, clock, committed=committed, events_written=events_written, for_broker=for_broker)
    # However that came: where the sale stands still, the database is asked each time, which then says so itself.
    members = SqlMembers(lanes, is_away=lambda: breakers.of(Instance.DATABASE).refuses or clock.stands)
    settle = SettleSale(book=book, policy=settings.hold_policy, event_ids=random_bits, switches=switches.now)
    for each in (rooms, switches, supply):
        await each.refresh()
    return Stores(
        lanes=lanes,
        clock=clock,
        machine_clock=machine_clock,
        metrics=metrics,
        breakers=breakers,
        disk=disk,
        rooms=rooms,
        line=opened_line.line,
        opened_line=opened_line,
        closing=closing,
        switches=switches,
        supply=supply,
        outbox=SqlOutbox(lanes, Outlet.LINE, lease=None if line_lease is None else line_lease.name),
        line_lease=line_lease,
        old_events=SqlOutboxLeftovers(lanes),
        leftovers=SqlSaleLeftovers(lanes),
        clock_stop=still.clock_stop,
        clock_watch=still.clock_watch,
        records=SqlBuyerRecords(lanes),
        audit_pen=audit_pen,
        listings=listings,
        tidy=TidyHolds(book=book, event_ids=random_bits),
        settle=_batcher("settle", settle.settle, metrics),
        join=_batcher("join", JoinMembers(members=members, line=opened_line.line).join, metrics),
        end=_batcher("end", opened_line.line.end, metrics),
        relay_wake=relay_wake,
        broker=broker,
        new_id=new_ids(random_bits, machine_clock),
    )


def _listings(settings: Settings, still: Standstill, metrics: Metrics, breakers: Breakers) -> Listings:
    fallback = Fallback(machine_clock=still.machine_clock, stale_ms_max=milliseconds(settings.stale_list_seconds_max))
    plan, guard = SqlSeatingPlan(still.lanes), breakers.of(Instance.CONCERT)
    return Listings(plan, still.clock, fallback, count=metrics.count_cache, guard=guard)


async def take_up_the_line(stores: Stores) -> None:
    """Give back the time in which nobody served, then remember who stands where and holds what."""
    await stores.clock_stop.beat()
    now = stores.clock.now()
    await stores.opened_line.take_up(now)
    tell_the_line = TellTheLine(line=stores.line)
    open_holds = await stores.records.open_holds(at=now)
    # What the last process answered is so: of a place that a payment used up, the line may not have heard from it.
    untold = await stores.outbox.waiting(limit=UNTOLD_MAX, at=now)
    try:
        await tell_the_line.tell_of_open(open_holds)
        await tell_the_line([record.event for record in untold if isinstance(record.event, OrderPaid)])
    except Fault as fault:
        if stores.opened_line.refresh is None:
            raise
        # Its store is away: the holds wait here to be told, and the ends in the outbox.
        log.warning("line.not_told", cause=str(fault))


def _disk(settings: Settings, clock: Clock, metrics: Metrics) -> DiskWatch | RemoteDisk:
    if settings.is_cluster:
        return RemoteDisk(clock)
    return DiskWatch(settings.database_file.absolute().parent, settings.disk_reserve, metrics)


def _told_of(breakers: Breakers) -> Metrics:
    """Return new metrics that are told of *breakers*, as the log is, and of what this event loop has to do."""
    metrics = Metrics()
    metrics.watch_breakers(breakers)
    metrics.watch_tasks(partial(_tasks_on, asyncio.get_running_loop()))
    breakers.subscribe(log_breaker, calls=False)
    return metrics


def _waking(*wakes: asyncio.Event | None) -> Callable[[], None]:
    def wake() -> None:
        for each in wakes:
            if each is not None:
                each.set()

    return wake


def _tasks_on(loop: asyncio.AbstractEventLoop) -> int:
    return len(asyncio.all_tasks(loop))


def _batcher(name: str, handler: Handler[Command, Result], metrics: Metrics) -> Batcher[Command, Result]:
    late, size = metrics.late_commands.labels(name).inc, metrics.batch_size.labels(name)

    async def handle_counted(commands: Sequence[Command]) -> Sequence[Result | Fault]:
        size.observe(len(commands))
        return await handler(commands)

    return Batcher(handle_counted, batch_max=BATCH_MAX, waiting_max=WAITING_MAX, late=late)
