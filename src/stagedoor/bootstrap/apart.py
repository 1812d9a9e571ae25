"""Processes beside the servers, on the same database: each works until it is told to stop."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable

import structlog
import uvloop

from stagedoor.adapters.kafka.stream import KafkaStream
from stagedoor.adapters.sql.notifications import SqlNotifications
from stagedoor.bootstrap.database import Database, existing
from stagedoor.bootstrap.events import BrokerRelay, kafka_access
from stagedoor.checkout.notifications import NotifyOfPaidOrders
from stagedoor.observability.breaker_log import log_breaker
from stagedoor.observability.logs import set_up
from stagedoor.resilience.breakers import Breakers
from stagedoor.settings import Settings
from stagedoor.workers.consume import ConsumeEvents
from stagedoor.workers.supervisor import Supervisor

log = structlog.get_logger(__name__)

Stop = Callable[[], None]
Work = Callable[[Database, Callable[[Stop], None]], Awaitable[None]]
"""Works on a database to the end, which comes after the `Stop` that it hands over was called."""


def relay(settings: Settings) -> None:
    """
    Publish events to Kafka until SIGTERM or Ctrl-C, whenever no other process does.

    Raises what keeps it from starting: `DatabaseRefused`, `SettingsError`, a `Fault` of the database, or OSError.
    """

    async def work(database: Database, stop_with: Callable[[Stop], None]) -> None:
        breakers = Breakers(settings.breakers, now_ns=time.monotonic_ns)
        breakers.subscribe(log_breaker, calls=False)
        broker = BrokerRelay(settings, database.lanes, database.clock, breakers)
        supervisor = Supervisor()
        for worker in broker.workers():
            supervisor.add_worker(worker)

        def stop() -> None:
            supervisor.stop()
            broker.stop()

        stop_with(stop)
        try:
            await supervisor.run()
        finally:
            await broker.close()

    _run(settings, "relay", work)


def consume_notifications(settings: Settings) -> None:
    """
    Note every paid order that Kafka tells of, once, until SIGTERM or Ctrl-C.

    Raises what keeps it from starting, as `relay` does.
    """

    async def work(database: Database, stop_with: Callable[[Stop], None]) -> None:
        stream = KafkaStream(kafka_access(settings))
        notify = NotifyOfPaidOrders(log=SqlNotifications(database.lanes), clock=database.clock)
        consume = ConsumeEvents(stream=stream, subscriber=notify, chance=random.random)
        stop_with(consume.stop)
        try:
            await consume.run()
        finally:
            await stream.close()

    _run(settings, "consumer", work)


def _run(settings: Settings, name: str, work: Work) -> None:
    set_up(style=settings.log_format, level=settings.log_level)

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def stop_with(stop: Stop) -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop)

        async with existing(settings) as database:
            log.info("process.started", work=name)
            await work(database, stop_with)
            log.info("process.stopped", work=name)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
