"""A built server: what the edge calls, and what runs beside it."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from stagedoor.adapters.embedded.publisher import InProcessPublisher
from stagedoor.adapters.sql.audit import SqlAuditTrail
from stagedoor.adapters.sql.member_desk import SqlMemberDesk
from stagedoor.adapters.sql.news import read_news
from stagedoor.adapters.sql.notifications import SqlNotifications
from stagedoor.adapters.sql.operator_keys import SqlOperatorKeys
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.adapters.sql.room_changes import SqlRoomDesk
from stagedoor.adapters.sql.sale_switches import SqlSwitchDesk
from stagedoor.adapters.sql.wallets import SqlWallets
from stagedoor.bootstrap.database import Database
from stagedoor.bootstrap.events import lease_worker, relay_worker
from stagedoor.bootstrap.identity import identity, tokens
from stagedoor.bootstrap.limits import limit_policy
from stagedoor.bootstrap.stores import Stores, open_stores
from stagedoor.checkout.line_subscriber import TellTheLine
from stagedoor.checkout.notifications import NotifyOfPaidOrders
from stagedoor.checkout.use_cases import Charge, CloseLeftPlace, Pay, ReleaseSeats, ReserveSeats
from stagedoor.http.deadlines import Deadlines
from stagedoor.http.identity import Identity
from stagedoor.http.limits import Limits
from stagedoor.http.load import LOOK_EVERY_S as LOOK_AT_LOAD_EVERY_S
from stagedoor.http.load import Load
from stagedoor.http.operators import OperatorGate
from stagedoor.http.ops import ops_router
from stagedoor.http.ops_desk import OpsDesk
from stagedoor.http.services import Services
from stagedoor.http.tokens import QueueTokens
from stagedoor.http.under_way import UnderWay
from stagedoor.kernel.errors import Fault
from stagedoor.observability.unheard import hearing
from stagedoor.operators.steering import SteerBreakers
from stagedoor.outbox.model import Outlet
from stagedoor.outbox.ports import OutboxBacklog, Subscriber
from stagedoor.resilience.breaker import MonotonicNs
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.resilience.deadline import regardless
from stagedoor.seating.switch import TurnSwitch
from stagedoor.settings import Settings
from stagedoor.settings.units import hours_in_ms, milliseconds
from stagedoor.waiting_room.revoking import RevokePlace
from stagedoor.waiting_room.use_cases import (
    AdmitNext,
    CheckPlace,
    EnterRoom,
    IssueToken,
    LeaveLine,
    RecognizePlace,
    RoomStatus,
)
from stagedoor.workers.admit import AdmitCounted
from stagedoor.workers.backlog import CountBacklog
from stagedoor.workers.disk import DiskWatch
from stagedoor.workers.forget import ForgetOld
from stagedoor.workers.hindrances import Hindrances
from stagedoor.workers.news import FollowNews
from stagedoor.workers.others import FollowOthers
from stagedoor.workers.pulse import Pulse
from stagedoor.workers.regularly import Regularly
from stagedoor.workers.relay import RelayEvents
from stagedoor.workers.supervisor import Supervisor, Worker

TIDY_MAX = 500

ADMIT_EVERY_S = 0.1
NEWS_EVERY_S, NEWS_EVERY_S_SHARED = 0.2, 0.4
"""
An order to stop the sale takes effect in every process within a second, and so does a room's change.

What another process has sold shows in a list as early.
"""

TICK_BREAKERS_EVERY_S = 0.25
PULSE_EVERY_S = 0.1
ASK_FOR_TIME_EVERY_S = 1.0
FOLLOW_LINE_EVERY_S = 0.2
"""Each turn of admission reads what is new as well; of four processes on one core that is felt."""

TIDY_EVERY_S = 1.0
FORGET_EVERY_S = 1.0
LOOK_AT_DISK_EVERY_S = 1.0
BACKLOG_EVERY_S = 5.0
SETTLE_AUDIT_EVERY_S = 1.0


@dataclass(kw_only=True)
class House:
    """A built server, and how it ends."""

    stores: Stores
    pulse: Pulse
    admit: Regularly
    hindrances: Hindrances
    load: Load
    supervisor: Supervisor = field(default_factory=Supervisor)
    draining: bool = False

    async def ready(self) -> Mapping[str, str]:
        """Say of each part whether it can serve."""
        watch = self.stores.clock_watch
        return {**self.pulse.ready(), **self.stores.disk.ready(), **({} if watch is None else watch.ready())}

    def drain(self) -> None:
        """Tell whoever asks `readyz` to send nobody here any more."""
        self.draining = True

    def stop(self) -> None:
        """End what runs beside the edge; what the batchers hold is still settled."""
        self.supervisor.stop()
        if self.stores.broker is not None:
            self.stores.broker.stop()
        for batcher in self.stores.batchers.values():
            batcher.close()

    async def close(self) -> None:
        """Let go of what lies outside of this process, once nothing runs any more."""
        if self.stores.line_lease is not None:
            with contextlib.suppress(Fault):
                await self.stores.line_lease.give_back()
        if self.stores.broker is not None:
            await self.stores.broker.close()


async def build(
    settings: Settings, database: Database, *, now_ns: MonotonicNs = time.monotonic_ns
) -> tuple[House, Services]:
    """Put everything together; nothing runs before the house's supervisor does."""
    queue_tokens = await tokens(settings, database.lanes, database.clock)
    login = await identity(settings, database.clock)
    breakers = Breakers(settings.breakers, now_ns=now_ns)
    stores = await open_stores(settings, database, breakers)
    pulse = Pulse(stores.clock_stop.beat, stores.machine_clock, leads=stores.leads)
    admit = Regularly(_admission(stores, lambda: hindrances.may_admit()), stores.machine_clock)  # noqa: PLW0108 -- made below
    hindrances = Hindrances(
        {
            "disk": lambda: stores.disk.is_low,
            "clock": lambda: not stores.is_sure_of_time,
            "database": lambda: stores.is_database_out,
            # What is left is counted before anybody is let in.
            "reads": lambda: breakers.of(Instance.DATABASE_READS).refuses,
            "sale": lambda: breakers.of(Instance.SALE).refuses,
            "line": lambda: admit.is_late or stores.opened_line.is_stale(),
            "queue": lambda: breakers.of(Instance.QUEUE).refuses,
        },
        blind=("clock", "database", "line", "queue"),
        own=("queue",),
        metrics=stores.metrics,
    )
    load = Load(stores.metrics, target_s=settings.wait_target_seconds)
    house = House(stores=stores, pulse=pulse, admit=admit, hindrances=hindrances, load=load)
    services = _services(settings, house, queue_tokens, login)
    stores.metrics.watch_lines(lambda: [stores.line.view(room.id) for room in stores.rooms.all()])
    for name, batcher in stores.batchers.items():
        house.supervisor.add_service(name, batcher.run)
    for worker in _workers(settings, house):
        house.supervisor.add_worker(worker)
    return house, services


def _admission(stores: Stores, may_admit: Callable[[], bool]) -> AdmitCounted:
    return AdmitCounted(
        admit_next=AdmitNext(line=stores.line, rooms=stores.rooms, supply=stores.supply, may_admit=may_admit),
        refresh_supply=stores.supply.refresh,
        metrics=stores.metrics,
        guard=stores.breakers.of(Instance.QUEUE),
    )


def _services(settings: Settings, house: House, queue_tokens: QueueTokens, login: Identity) -> Services:
    stores, lanes, clock = house.stores, house.stores.lanes, house.stores.machine_clock
    rooms, line, supply, settle = stores.rooms, stores.line, stores.supply, stores.settle
    close_place, new_id = CloseLeftPlace(settle=regardless(settle)).close, stores.new_id
    gate = OperatorGate(SqlOperatorKeys(lanes, clock), clock)
    desk = OpsDesk(
        gate=gate,
        rooms=rooms,
        room_desk=SqlRoomDesk(lanes, clock, defaults=settings.room_defaults),
        revoke_place=RevokePlace(end=stores.end, close_place=close_place),
        member_desk=SqlMemberDesk(lanes, clock),
        audit=SqlAuditTrail(lanes),
        turn_switch=TurnSwitch(desk=SqlSwitchDesk(lanes, clock), switches=stores.switches),
        steer_breakers=SteerBreakers(breakers=stores.breakers, pen=stores.audit_pen, clock=clock),
    )
    return Services(
        clock=clock,
        service_clock=stores.clock,
        tokens=queue_tokens,
        identity=login,
        limits=Limits(limit_policy(settings)),
        metrics=stores.metrics,
        load=house.load,
        under_way=UnderWay(milliseconds(settings.deadline_change_seconds)),
        scrape=stores.metrics.scrape,
        deadlines=Deadlines(change_s=settings.deadline_change_seconds, read_s=settings.deadline_read_seconds),
        listings=stores.listings,
        issue_token=IssueToken(rooms=rooms, join=stores.disk.sparing(stores.join)),
        check_place=CheckPlace(line=line, rooms=rooms, supply=supply, clock=stores.clock, conditions=house.hindrances),
        room_status=RoomStatus(line=line, rooms=rooms, supply=supply, clock=stores.clock, conditions=house.hindrances),
        enter_room=EnterRoom(line=line),
        recognize_place=RecognizePlace(line=line),
        leave_line=LeaveLine(end=stores.end, close_place=close_place),
        reserve_seats=ReserveSeats(
            line=line, settle=hearing(stores.disk.sparing(stores.settle)), new_id=new_id, clock=stores.clock
        ),
        release_seats=ReleaseSeats(settle=settle),
        pay=Pay(settle=hearing(settle), new_id=new_id, mark_used_up=stores.line.mark_used_up),
        charge=Charge(settle=settle, new_id=new_id, fans_may_charge=settings.fans_may_charge),
        wallets=SqlWallets(lanes),
        buyer_records=stores.records,
        breakers=stores.breakers,
        ready=house.ready,
        draining=lambda: house.draining,
        authorize_view=gate.may_view,
        ops=ops_router(desk),
        public_bind=settings.is_public,
        trusted_proxies=settings.trusted_proxies,
        time_zone=settings.time_zone,
    )


def _workers(settings: Settings, house: House) -> Sequence[Worker]:
    stores = house.stores
    subscribers: list[Subscriber] = [TellTheLine(line=stores.line), stores.metrics.count_events]
    if settings.kafka_bootstrap is None:
        # Otherwise `stagedoor consume notifications` does it.
        subscribers.insert(1, NotifyOfPaidOrders(log=SqlNotifications(stores.lanes), clock=stores.clock))
    leads = stores.leads
    relay = RelayEvents(
        outbox=stores.outbox,
        publisher=InProcessPublisher(subscribers=tuple(subscribers)),
        clock=stores.clock,
        leads=leads,
    )

    async def tidy() -> int:
        # Once is enough. It needs no fence: whoever tidies what another has tidied changes nothing.
        return 0 if leads.fence is None else await stores.tidy.tidy(limit=TIDY_MAX)

    forget_old = ForgetOld(
        line=stores.line,
        sale=stores.leftovers,
        outbox=stores.old_events,
        leads=leads,
        clock=stores.clock,
        keep_places_ms=hours_in_ms(settings.keep_places_hours),
        keep_keys_ms=hours_in_ms(settings.keep_keys_hours),
        keep_events_ms=hours_in_ms(settings.keep_events_hours),
    )

    async def forget() -> int:
        forgotten = await forget_old()
        stores.metrics.forgotten_records.inc(forgotten)
        return forgotten

    return (
        Worker(name="admit", tick=house.admit, every_s=ADMIT_EVERY_S),
        Worker(name="hindrances", tick=house.hindrances.tick, every_s=ADMIT_EVERY_S),
        Worker(name="breakers", tick=stores.breakers.tick, every_s=TICK_BREAKERS_EVERY_S),
        Worker(
            name="news",
            tick=_news(settings, stores).look,
            every_s=NEWS_EVERY_S_SHARED if settings.is_cluster else NEWS_EVERY_S,
            # An order to stop is gone by within a second, whichever reading it is that fails.
            failure_pause_s_max=NEWS_EVERY_S,
        ),
        relay_worker(Outlet.LINE, relay, stores.relay_wake),
        *(() if stores.line_lease is None else (lease_worker(stores.line_lease, stores.relay_wake.set),)),
        *(() if stores.broker is None else stores.broker.workers()),
        Worker(name="tidy", tick=tidy, every_s=TIDY_EVERY_S, eager=True),
        Worker(name="forget", tick=forget, every_s=FORGET_EVERY_S),
        Worker(name="load", tick=house.load.look, every_s=LOOK_AT_LOAD_EVERY_S),
        Worker(
            name="backlog",
            tick=CountBacklog(outboxes=_outboxes(settings, stores), metrics=stores.metrics),
            every_s=BACKLOG_EVERY_S,
        ),
        Worker(name="audit", tick=stores.audit_pen.settle, every_s=SETTLE_AUDIT_EVERY_S),
        *(_alone(stores.disk) if isinstance(stores.disk, DiskWatch) else _among_others(stores)),
        Worker(
            name="pulse",
            tick=house.pulse.tick,
            every_s=PULSE_EVERY_S,
            # What an outage has taken is measured up to the first beat after it: the next try is never far.
            failure_pause_s_max=PULSE_EVERY_S,
        ),
    )


def _alone(disk: DiskWatch) -> Sequence[Worker]:
    """Return what a process runs whose database is on its own disk."""
    return (Worker(name="disk", tick=disk.look, every_s=LOOK_AT_DISK_EVERY_S),)


def _among_others(stores: Stores) -> Sequence[Worker]:
    """Return what a process runs whose database is a server's, with others beside it."""
    assert stores.clock_watch is not None
    assert stores.opened_line.refresh is not None

    return (
        Worker(name="clock", tick=stores.clock_watch.look, every_s=ASK_FOR_TIME_EVERY_S),
        Worker(name="line", tick=stores.opened_line.refresh, every_s=FOLLOW_LINE_EVERY_S),
    )


def _news(settings: Settings, stores: Stores) -> FollowNews:
    """Return what goes by the news; a process without others is told of its own sales as they are made."""

    def changed() -> None:
        stores.supply.touch()
        stores.listings.changed_everywhere()

    others = FollowOthers(stores.machine_clock, changed=changed)
    return FollowNews(
        read=partial(read_news, stores.lanes, settings.room_defaults),
        rooms=stores.rooms,
        switches=stores.switches,
        hear=others.hear if settings.is_cluster else lambda _: None,
    )


def _outboxes(settings: Settings, stores: Stores) -> Mapping[Outlet, OutboxBacklog]:
    if settings.kafka_bootstrap is None:
        return {Outlet.LINE: stores.outbox}
    return {Outlet.LINE: stores.outbox, Outlet.BROKER: SqlOutbox(stores.lanes, Outlet.BROKER, lease=None)}
