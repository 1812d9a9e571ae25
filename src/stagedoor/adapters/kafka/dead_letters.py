"""
Dead letters: what a consumer could not act on, in a topic that keeps of each only the last word.

A letter's key is where its message was read, and the topic is compacted: sent
again, or thrown away, the letter is followed by an empty message of the same
key, and is gone. Sent again it is another message, and if that fails, another
letter; so is each of several messages that tell of one event. Letters of
before this was so have their event's id for a key, and are gone by that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from stagedoor.adapters.kafka.access import KafkaAccess, Topic, faults_told, make_topics
from stagedoor.adapters.kafka.sender import REQUEST_BYTES_MAX, KafkaSender, Message
from stagedoor.adapters.kafka.wire import EVENT_ID, EVENT_TYPE, ORDERS
from stagedoor.kernel.clock import Instant

DEAD = f"{ORDERS}.notifications.dead"
RETRY = f"{ORDERS}.notifications.retry"

DEAD_TOPIC = Topic(name=DEAD, settings={"cleanup.policy": "compact", "max.message.bytes": str(REQUEST_BYTES_MAX)})
RETRY_TOPIC = Topic(name=RETRY, settings={"max.message.bytes": str(REQUEST_BYTES_MAX)})

ORIGIN, KEY, CAUSE, ATTEMPTS = "dead-origin", "dead-key", "dead-cause", "dead-attempts"
_OURS = {ORIGIN, KEY, CAUSE, ATTEMPTS}
CAUSE_LENGTH_MAX = 500

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """
    A message that was set aside.

    *id* is its event's, or its *origin* where it has none: what an operator
    calls it, and perhaps others. *kept_as* is its own key among the letters;
    *value* what was sent, as it was, to *key*.
    """

    id: str
    kept_as: bytes
    name: str
    origin: str
    attempts: int
    cause: str
    died_at: Instant
    key: bytes
    value: bytes
    headers: Headers


def letter_of(record: Any, *, origin: str, cause: str, attempts: int) -> Message:  # noqa: ANN401 -- the library's own
    """Return the dead letter that *record*, as it was consumed, becomes."""
    kept = tuple((name, value) for name, value in record.headers if name not in _OURS)
    return Message(
        id=f"dead:{origin}",
        topic=DEAD,
        key=origin.encode(),
        # Nothing at all would say that the letter is gone.
        value=record.value or b" ",
        headers=(
            *kept,
            (ORIGIN, origin.encode()),
            (KEY, record.key or b""),
            (CAUSE, cause[:CAUSE_LENGTH_MAX].encode()),
            (ATTEMPTS, str(attempts).encode()),
        ),
    )


class DeadLetters:
    """What the operator does about dead letters."""

    def __init__(self, access: KafkaAccess) -> None:
        """Reach nobody yet."""
        self._access = access
        self._sender = KafkaSender(access, (DEAD_TOPIC, RETRY_TOPIC))

    async def all(self) -> Sequence[DeadLetter]:
        """Return every letter there is, the oldest first. Raises `BrokerFault`."""
        await make_topics(self._access, (DEAD_TOPIC,))
        letters: dict[bytes, DeadLetter] = {}
        # In no group it is given all partitions, and remembers nothing.
        consumer = AIOKafkaConsumer(DEAD, **self._access.options(), group_id=None, auto_offset_reset="earliest")
        with faults_told():
            try:
                await consumer.start()
                ends: Mapping[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
                while [each for each, end in ends.items() if await consumer.position(each) < end]:
                    for records in (await consumer.getmany(timeout_ms=1_000)).values():
                        for record in records:
                            _count(letters, record)
            finally:
                await consumer.stop()
        return sorted(letters.values(), key=lambda letter: letter.died_at)

    async def retry(self, letters: Sequence[DeadLetter]) -> None:
        """Let the consumer try *letters* again, and it alone. Raises `Fault`; then some may have been sent."""
        await self._sender.send(
            [
                Message(
                    id=f"retry:{letter.origin}", topic=RETRY, key=letter.key, value=letter.value, headers=letter.headers
                )
                for letter in letters
            ]
        )
        await self.discard(letters)

    async def discard(self, letters: Sequence[DeadLetter]) -> None:
        """Be rid of *letters*. Raises `Fault`."""
        await self._sender.send(
            [Message(id=f"gone:{letter.origin}", topic=DEAD, key=letter.kept_as, value=None) for letter in letters]
        )

    async def close(self) -> None:
        """Let go of the brokers."""
        await self._sender.close()


def _count(letters: dict[bytes, DeadLetter], record: Any) -> None:  # noqa: ANN401 -- the library's own
    key = record.key or b""
    if record.value is None:
        letters.pop(key, None)
        return
    said = dict(record.headers)
    origin = _text(said, ORIGIN)
    letters[key] = DeadLetter(
        id=_text(said, EVENT_ID)[:64] or _id_in(record.value) or origin,
        kept_as=key,
        name=_text(said, EVENT_TYPE) or "?",
        origin=origin,
        attempts=int(_text(said, ATTEMPTS) or 0),
        cause=_text(said, CAUSE),
        died_at=Instant(record.timestamp),
        key=said.get(KEY, b""),
        value=record.value,
        headers=tuple((name, value) for name, value in record.headers if name not in _OURS),
    )


def _text(said: Mapping[str, bytes], name: str) -> str:
    return said.get(name, b"").decode(errors="replace")


def _id_in(value: bytes | None) -> str:
    try:
        found = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    said = found.get("id") if isinstance(found, dict) else None
    return said[:64] if isinstance(said, str) else ""
