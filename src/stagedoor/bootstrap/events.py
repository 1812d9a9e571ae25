"""How events leave: to the line by a relay in the serving processes, to Kafka by one there or a process of its own."""

import asyncio
import contextlib
import os
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence

from stagedoor.adapters.guarding import GuardedPublisher
from stagedoor.adapters.kafka.access import KafkaAccess
from stagedoor.adapters.kafka.publisher import KafkaPublisher
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.leases import SqlLeases
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.kernel.clock import SECOND_MS, Clock
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.lease import KEPT_EVERY_MS, Lease
from stagedoor.outbox.model import Outlet
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.settings import Settings, SettingsError
from stagedoor.workers.lease import KeepLease
from stagedoor.workers.relay import BATCH_MAX, RelayEvents
from stagedoor.workers.supervisor import Worker

RELAY_EVERY_S = 0.5
RELAY_REST_S = 0.1

LEASES = {outlet: f"relay.{outlet.value}" for outlet in Outlet}
"""What each relay's lease is called, in the database and in the log."""


class BrokerRelay:
    """Publishes to Kafka what waits for it, while this process leads in that."""

    def __init__(self, settings: Settings, lanes: Lanes, clock: Clock, breakers: Breakers) -> None:
        """Reach nobody yet. Raises `SettingsError` where the brokers cannot be reached in the way that is set."""
        self.wake = asyncio.Event()
        self._publisher = KafkaPublisher(kafka_access(settings))
        self._lease = relay_lease(Outlet.BROKER, lanes, clock)
        self._relay = RelayEvents(
            outbox=SqlOutbox(lanes, Outlet.BROKER, lease=self._lease.name),
            publisher=GuardedPublisher(self._publisher, breakers.of(Instance.KAFKA)),
            clock=clock,
            leads=self._lease,
        )

    def workers(self) -> Sequence[Worker]:
        """Return what has to run."""
        return relay_worker(Outlet.BROKER, self._relay, self.wake), lease_worker(self._lease, self.wake.set)

    def stop(self) -> None:
        """Wait for the brokers no more."""
        self._publisher.give_up()

    async def close(self) -> None:
        """Let the next process lead at once, and let go of the brokers."""
        with contextlib.suppress(Fault):
            await self._lease.give_back()
        await self._publisher.close()


def broker_relay(settings: Settings, lanes: Lanes, clock: Clock, breakers: Breakers) -> BrokerRelay | None:
    """Return the relay to Kafka, None without Kafka or where another process sees to it. Raises `SettingsError`."""
    if settings.kafka_bootstrap is None or not settings.relay_in_server:
        return None
    return BrokerRelay(settings, lanes, clock, breakers)


def relay_lease(outlet: Outlet, lanes: Lanes, clock: Clock) -> Lease:
    """Return this process's side of the lease that one relay at a time has."""
    holder = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
    return Lease(SqlLeases(lanes), clock, name=LEASES[outlet], holder=holder)


def lease_worker(lease: Lease, taken: Callable[[], None]) -> Worker:
    """Return what keeps *lease*; *taken* is called when it has become ours."""
    return Worker(
        name=f"lease {lease.name}", tick=KeepLease(lease=lease, taken=taken), every_s=KEPT_EVERY_MS / SECOND_MS
    )


def relay_worker(outlet: Outlet, relay: RelayEvents, wake: asyncio.Event) -> Worker:
    """Return what relays whenever *wake* is set, and otherwise looks by itself from time to time."""

    async def relay_some() -> int:
        # A full batch is followed by the next at once; what is left of it gathers until the relay has rested.
        return await relay() // BATCH_MAX

    return Worker(
        name=LEASES[outlet], tick=relay_some, every_s=RELAY_EVERY_S, wake=wake, eager=True, rest_s=RELAY_REST_S
    )


def kafka_access(settings: Settings) -> KafkaAccess:
    """Return how the brokers are reached. Raises `SettingsError` for a file that does not hold what it should."""
    assert settings.kafka_bootstrap is not None
    access = KafkaAccess(
        bootstrap=settings.kafka_bootstrap,
        protocol=settings.kafka_security_protocol.upper(),
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
        sasl_mechanism=settings.kafka_sasl_mechanism.value,
        user=settings.kafka_user,
        password=settings.kafka_password,
    )
    try:
        access.options()
    except ssl.SSLError as error:
        raise SettingsError(
            f"The certificates for Kafka cannot be used ({error.reason or error}): look at what "
            "STAGEDOOR_KAFKA_CA_FILE, STAGEDOOR_KAFKA_CERTIFICATE_FILE and STAGEDOOR_KAFKA_KEY_FILE name."
        ) from error
    return access
