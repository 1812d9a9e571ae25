"""A built server: what the edge calls, and what runs beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stagedoor.adapters.embedded.publisher import InProcessPublisher
from stagedoor.adapters.sql.audit import SqlAuditTrail
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.member_desk import SqlMemberDesk
from stagedoor.adapters.sql.notifications import SqlNotifications
from stagedoor.adapters.sql.operator_keys import SqlOperatorKeys
from stagedoor.adapters.sql.room_changes import SqlRoomDesk
from stagedoor.adapters.sql.wallets import SqlWallets
from stagedoor.bootstrap.disk import DiskWatch
from stagedoor.bootstrap.identity import identity, tokens
from stagedoor.bootstrap.limits import limit_policy
from stagedoor.bootstrap.stores import Stores, open_stores
from stagedoor.checkout.line_subscriber import TellTheLine
from stagedoor.checkout.notifications import NotifyOfPaidOrders
from stagedoor.checkout.use_cases import Charge, CloseLeftPlace, Pay, ReleaseSeats, ReserveSeats
from stagedoor.http.identity import Identity
from stagedoor.http.limits import Limits
from stagedoor.http.operators import OperatorGate
from stagedoor.http.ops import ops_calls
from stagedoor.http.ops_desk import OpsDesk
from stagedoor.http.services import Services
from stagedoor.http.tokens import QueueTokens
from stagedoor.kernel.clock import SECOND_MS, Clock
from stagedoor.kernel.errors import Fault
from stagedoor.settings import Settings
from stagedoor.settings.model import hours_in_ms
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
from stagedoor.workers.forget import ForgetOld
from stagedoor.workers.relay import BATCH_MAX as RELAY_MAX
from stagedoor.workers.relay import RelayEvents
from stagedoor.workers.supervisor import Supervisor, Worker

TIDY_MAX = 500

ADMIT_EVERY_S = 0.1
READ_EVERY_S = 0.2
PULSE_EVERY_S = 0.1
RELAY_EVERY_S = 0.5
RELAY_REST_S = 0.1
TIDY_EVERY_S = 1.0
FORGET_EVERY_S = 1.0
LOOK_AT_DISK_EVERY_S = 1.0
BACKLOG_EVERY_S = 5.0
PULSE_LATE_MS = 3 * SECOND_MS


class Pulse:
    """Says at short intervals that this process can serve, and knows how long ago it last could say so."""

    def __init__(self, stores: Stores) -> None:
        """Begin as alive now."""
        self._clock_stop = stores.clock_stop
        self._clock = stores.machine_clock
        self._last_at = self._clock.now()

    async def beat(self) -> int:
        """Write down that this process can serve, giving back the time in which it could not. Raises `Fault`."""
        await self._clock_stop.beat()
        self._last_at = self._clock.now()
        return 1

    async def ready(self) -> Mapping[str, str]:
        """Say whether the database can be written to, as the pulse found it."""
        late_ms = self._clock.now() - self._last_at
        return {"database": "ok" if late_ms < PULSE_LATE_MS else f"not written to for {late_ms // SECOND_MS} s"}


@dataclass(kw_only=True)
class House:
    """A built server, and how it ends."""

    stores: Stores
    pulse: Pulse
    disk: DiskWatch
    supervisor: Supervisor = field(default_factory=Supervisor)
    draining: bool = False

    async def ready(self) -> Mapping[str, str]:
        """Say of each part whether it can serve."""
        return {**await self.pulse.ready(), **self.disk.ready()}

    def drain(self) -> None:
        """Tell whoever asks `readyz` to send nobody here any more."""
        self.draining = True

    def stop(self) -> None:
        """End what runs beside the edge; what the batchers hold is still settled."""
        self.supervisor.stop()
        for batcher in self.stores.batchers.values():
            batcher.close()


async def build(settings: Settings, lanes: Lanes, clock: Clock) -> tuple[House, Services]:
    """Put everything together; nothing runs before the house's supervisor does."""
    queue_tokens = await tokens(settings, lanes, clock)
    login = await identity(settings, clock)
    stores = await open_stores(settings, lanes, clock)
    house = House(stores=stores, pulse=Pulse(stores), disk=_disk(settings, stores))
    services = _services(settings, house, queue_tokens, login)
    stores.metrics.watch_lines(lambda: [stores.line.view(room.id) for room in stores.rooms.all()])
    for name, batcher in stores.batchers.items():
        house.supervisor.add_service(name, batcher.run)
    for worker in _workers(settings, house):
        house.supervisor.add_worker(worker)
    return house, services


def _disk(settings: Settings, stores: Stores) -> DiskWatch:
    return DiskWatch(settings.database_file.absolute().parent, settings.disk_reserve, stores.metrics)


def _services(settings: Settings, house: House, queue_tokens: QueueTokens, login: Identity) -> Services:
    stores, lanes, clock = house.stores, house.stores.lanes, house.stores.machine_clock
    rooms, line, supply, settle = stores.rooms, stores.line, stores.supply, stores.settle
    close_place, random_bits = CloseLeftPlace(settle=settle).close, stores.random_bits
    gate = OperatorGate(SqlOperatorKeys(lanes, clock), clock)
    desk = OpsDesk(
        gate=gate,
        rooms=rooms,
        room_desk=SqlRoomDesk(lanes, clock, defaults=settings.room_defaults),
        revoke_place=RevokePlace(end=stores.end, close_place=close_place),
        member_desk=SqlMemberDesk(lanes, clock),
        audit=SqlAuditTrail(lanes),
    )
    return Services(
        clock=clock,
        service_clock=stores.clock,
        tokens=queue_tokens,
        identity=login,
        limits=Limits(limit_policy(settings)),
        metrics=stores.metrics,
        listings=stores.listings,
        issue_token=IssueToken(is_member=stores.known, rooms=rooms, join=house.disk.sparing(stores.join)),
        check_place=CheckPlace(line=line, rooms=rooms, supply=supply, clock=stores.clock),
        room_status=RoomStatus(line=line, rooms=rooms, supply=supply, clock=stores.clock),
        enter_room=EnterRoom(line=line),
        recognize_place=RecognizePlace(line=line),
        leave_line=LeaveLine(end=stores.end, close_place=close_place),
        reserve_seats=ReserveSeats(
            line=line, settle=house.disk.sparing(settle), random_bits=random_bits, clock=stores.clock
        ),
        release_seats=ReleaseSeats(settle=settle),
        pay=Pay(settle=settle, random_bits=random_bits, use_up=stores.use_up),
        charge=Charge(settle=settle, random_bits=random_bits, fans_may_charge=settings.fans_may_charge),
        wallets=SqlWallets(lanes),
        buyer_records=stores.records,
        ready=house.ready,
        draining=lambda: house.draining,
        authorize_view=gate.may_view,
        ops=ops_calls(desk),
        public_bind=settings.is_public,
        trusted_proxies=settings.trusted_proxies,
        time_zone=settings.time_zone,
    )


def _workers(settings: Settings, house: House) -> Sequence[Worker]:
    stores = house.stores
    subscribers = (
        TellTheLine(line=stores.line),
        NotifyOfPaidOrders(log=SqlNotifications(stores.lanes), clock=stores.clock),
        stores.metrics.count_events,
    )
    relay = RelayEvents(outbox=stores.outbox, publisher=InProcessPublisher(subscribers=subscribers), clock=stores.clock)
    admit_next = AdmitNext(
        line=stores.line, rooms=stores.rooms, supply=stores.supply, may_admit=lambda: not house.disk.is_low
    )

    async def admit() -> int:
        # Nobody is let in to find nothing: what was sold a moment ago is counted first. Nothing changed, nothing read.
        await stores.supply.refresh()
        try:
            reports = await admit_next.admit()
        except Fault:
            stores.metrics.admission_failures.inc()
            raise
        for report in reports:
            stores.metrics.admissions.labels(report.room_id).inc(report.admitted)
        return sum(report.admitted for report in reports)

    async def count_backlog() -> int:
        for state, records in (await stores.outbox.backlog()).items():
            stores.metrics.outbox_records.labels(state.name.lower()).set(records)
        return 0

    async def relay_some() -> int:
        # A full batch is followed by the next at once; what is left of it gathers until the relay has rested.
        return await relay() // RELAY_MAX

    async def tidy() -> int:
        return await stores.tidy.tidy(limit=TIDY_MAX)

    forget_old = ForgetOld(
        line=stores.line,
        sale=stores.leftovers,
        outbox=stores.outbox,
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
        Worker(name="admit", tick=admit, every_s=ADMIT_EVERY_S),
        Worker(name="rooms", tick=stores.rooms.refresh, every_s=READ_EVERY_S),
        Worker(
            name="relay",
            tick=relay_some,
            every_s=RELAY_EVERY_S,
            wake=stores.relay_wake,
            eager=True,
            rest_s=RELAY_REST_S,
        ),
        Worker(name="tidy", tick=tidy, every_s=TIDY_EVERY_S, eager=True),
        Worker(name="forget", tick=forget, every_s=FORGET_EVERY_S),
        Worker(name="disk", tick=house.disk.look, every_s=LOOK_AT_DISK_EVERY_S),
        Worker(name="backlog", tick=count_backlog, every_s=BACKLOG_EVERY_S),
        Worker(name="pulse", tick=house.pulse.beat, every_s=PULSE_EVERY_S),
    )
