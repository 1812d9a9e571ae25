"""Messages to Kafka: an idempotent producer, acknowledged by all replicas, in order for each key."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from stagedoor.adapters.kafka.access import BrokerFault, KafkaAccess, Topic, faults_told, make_topics
from stagedoor.outbox.ports import NotTaken

SEND_S = 5.0
"""For so long a batch waits for the brokers. What it was made from waits on."""

STOP_S = 1.0
GATHERED_BYTES = 1 << 17
REQUEST_BYTES_MAX = 1 << 21
LINGER_MS = 2

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to send; those of one *key* stay in order. *id* is what it is recognised by when sent again."""

    id: str
    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class KafkaSender:
    """
    Sends messages, and makes the topics they go to where those are missing.

    An idempotent producer sends what it was given until that is delivered. So
    what is not there yet when a wait is over is remembered; asked for again it
    is waited for, and not sent a second time.
    """

    def __init__(self, access: KafkaAccess, topics: Sequence[Topic]) -> None:
        """Reach nobody before the first message."""
        self._access = access
        self._topics = topics
        self._producer: AIOKafkaProducer | None = None
        self._under_way: dict[str, asyncio.Future[Any]] = {}
        self._giving_up = asyncio.Event()

    async def send(self, messages: Sequence[Message]) -> None:
        """
        Send *messages* in order, and wait until all replicas have them.

        Raises `NotTaken` where one is too large for its topic, and any other
        `Fault` where the brokers do not take them in time.
        """
        if not messages:
            return
        giving_up = asyncio.ensure_future(self._giving_up.wait())
        sending = asyncio.ensure_future(self._send(messages))
        try:
            await asyncio.wait({giving_up, sending}, return_when=asyncio.FIRST_COMPLETED, timeout=SEND_S)
            if not sending.done():
                raise BrokerFault("the brokers have not taken the messages in time")
            sending.result()
        finally:
            await _ended(giving_up, sending)

    def give_up(self) -> None:
        """Wait for the brokers no more."""
        self._giving_up.set()

    async def close(self) -> None:
        """Let go of the brokers."""
        self.give_up()
        await self._let_go()

    async def _send(self, messages: Sequence[Message]) -> None:
        producer = self._producer or await self._started()
        self._forget_others(messages)
        futures = [await self._sent(producer, message) for message in messages]
        await asyncio.wait(futures)
        errors = [error for each in messages if (error := self._under_way.pop(each.id).exception()) is not None]
        if not errors:
            return
        # The brokers have counted what they refused: whatever this producer sent next would be out of order for them.
        await self._let_go()
        if all(isinstance(error, _TOO_LARGE) for error in errors):
            raise NotTaken(f"{type(errors[0]).__name__}: {errors[0]}")
        with faults_told():
            raise next(error for error in errors if not isinstance(error, _TOO_LARGE))

    def _forget_others(self, messages: Sequence[Message]) -> None:
        """Forget what was delivered, or refused, after nobody waited for it any more."""
        asked = {message.id for message in messages}
        for each in [each for each, future in self._under_way.items() if future.done() and each not in asked]:
            self._under_way.pop(each).exception()

    async def _sent(self, producer: AIOKafkaProducer, message: Message) -> asyncio.Future[Any]:
        future = self._under_way.get(message.id)
        if future is None:
            try:
                future = await producer.send(
                    message.topic, key=message.key, value=message.value, headers=list(message.headers)
                )
            except _TOO_LARGE as error:
                future = asyncio.get_running_loop().create_future()
                future.set_exception(error)
            except KafkaError as error:
                raise BrokerFault(f"{type(error).__name__}: {error}") from error
            self._under_way[message.id] = future
        return future

    async def _started(self) -> AIOKafkaProducer:
        await make_topics(self._access, self._topics)
        producer = AIOKafkaProducer(
            **self._access.options(),
            enable_idempotence=True,
            acks="all",
            linger_ms=LINGER_MS,
            max_batch_size=GATHERED_BYTES,
            max_request_size=REQUEST_BYTES_MAX,
        )
        self._producer = producer
        try:
            with faults_told():
                await producer.start()
        except BaseException:
            await self._let_go()
            raise
        return producer

    async def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        for future in self._under_way.values():
            if not future.cancel():
                future.exception()
        self._under_way.clear()
        if producer is None:
            return
        with contextlib.suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(STOP_S):
                await producer.stop()
                return
        # Its own way to stop waits for brokers that may never come back.
        if (sending := producer._sender.sender_task) is not None:  # noqa: SLF001 -- there is no other way to it
            sending.cancel()
        await producer.client.close()


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    """Wait until *tasks*, which nobody waits for any more, have ended; how they ended has been told."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
