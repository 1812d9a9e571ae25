"""One room's part of the store: its keys, and its scripts as methods."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from stagedoor.adapters.redis.client import RedisClient, Reply, StoreLost
from stagedoor.kernel.clock import GAP_MS, Clock, Instant
from stagedoor.kernel.ids import BuyerId, RoomId
from stagedoor.resilience.deadline import due

LEASE_MS = 1_200
"""An admitter that has not been heard of for so long leads no more; the next one is up within 250 ms."""

TURN_MS_MAX = 2_000
"""A turn that arrives later after its instant was planned in another world."""

ENTRIES_AT_ONCE = 500
SIGNS_KEPT = 2_000
"""Batches of signs; a process that is further behind takes everybody for just seen."""

LOG_KEPT = 5_000
"""So many entries before a checkpoint stay: whoever reads on now and then need not load the line anew for each."""

SIGN_MS_MAX = 500
"""
So long after what the store said last a sign of life has come in time.

One that was stamped, and then lay in a process that stood still, says nothing of a clock that was set back.
"""

CHUNK_S_MAX = 600
"""For so long parts of a checkpoint stay that nobody finished."""


class ForeignLine(StoreLost):
    """The store has the line of another installation: nothing of it is believed, and nothing is changed."""

    def __init__(self) -> None:
        """Say what an operator can do."""
        super().__init__(
            "the Redis has the line of another database: name another STAGEDOOR_REDIS_URL, or empty it (FLUSHDB) if "
            "nobody needs that line any more"
        )


class LogCut(StoreLost):
    """The log was cut further on than this process had read; nothing is known of what came between."""


class Status(StrEnum):
    """What a script says."""

    OK = "ok"
    LOST = "lost"
    """The room is not there, or begun anew: the epoch is another."""
    FENCED = "fenced"
    MOVED = "moved"


class Tail(NamedTuple):
    """
    What a script answers: its status, what of the log and the signs is new to the caller, and what time it is then.

    *now* is by the clock that judges deadlines, which is not the store's.
    *position* and *sign* are the last entries there are, *gap_began_at* and
    *gap_ended_at* the last time in which no process gave a sign of life.
    *fence* is who leads, where that was asked for and it is the caller.
    """

    status: Status
    now: Instant
    position: int = 0
    sign: int = 0
    gap_began_at: Instant = Instant(0)
    gap_ended_at: Instant = Instant(0)
    fence: int = 0
    entries: Sequence[tuple[int, bytes]] = ()
    signs: Sequence[tuple[int, bytes]] = ()


class Renewal(NamedTuple):
    """What is to be stored of a buyer's keys in the place of *before*, if that is still there; b"" is nothing."""

    buyer_id: BuyerId
    before: bytes
    after: bytes


class RoomStore:
    """
    The keys of one room on one server, and what can be done with them; they share one hash tag.

    Everything raises `StoreLost`, also where the address leads to another server by now.
    """

    def __init__(self, client: RedisClient, clock: Clock, room_id: RoomId, *, server: str, installation: str) -> None:
        """
        Belong to *room_id* of *installation*, which is the database's, on the server with the run id *server*.

        *clock* judges deadlines. The store's own is asked how long a turn or a sign was under way, and nothing else.
        """
        self.server = server
        self._installation = installation
        self._client = client
        self._clock = clock
        self._prefix = b"stagedoor:{%b}:" % room_id.encode()
        self._keys = [self._prefix + name for name in (b"head", b"log", b"signs", b"lease", b"keys")]
        self._stores_now = 0

    async def catch_up(self, seen: "Seen", *, candidate: str = "", is_sign_of_life: bool = True) -> Tail:
        """Read on; with *candidate* also take or keep the admitter's lease, if it is free or the candidate's."""
        arguments = (
            candidate,
            LEASE_MS,
            GAP_MS if is_sign_of_life else "",
            self._clock.now(),
            self._stores_now + SIGN_MS_MAX,
        )
        # For everybody, and for whoever looks whether hers was written: however late it is.
        with due(None):
            return await self._run("catch_up", seen, *arguments)

    async def append(self, seen: "Seen", *, entry: bytes = b"", binding: bool = False, signs: bytes = b"") -> Tail:
        """Add to the log what holds in any case, and to the signs what nothing depends on."""
        return await self._run("append", seen, entry, int(binding), signs, SIGNS_KEPT)

    async def turn(self, seen: "Seen", entry: bytes, *, candidate: str, fence: int, binding: int) -> Tail:
        """Add a turn that was planned by the leader on everything up to the entry *binding* that turns depend on."""
        return await self._run("turn", seen, entry, f"{candidate}:{fence}", binding, self._stores_now + TURN_MS_MAX)

    async def decide(
        self, seen: "Seen", entry: bytes, keys: Sequence[Renewal] = (), *, binding: int | None = None
    ) -> Tail:
        """
        Add what was decided on the whole log, or on all up to the entry *binding* that turns depend on.

        *keys* are stored with it. Nothing is added if one of them has changed.
        """
        depends_on = "" if binding is None else binding
        return await self._run("decide", seen, entry, depends_on, *(part for each in keys for part in each))

    async def remember(self, epoch: int, keys: Sequence[Renewal]) -> Mapping[BuyerId, bytes]:
        """Store *keys*, but for those that have changed; return what these are now, by their buyers."""
        # However late it is: what they are the keys of has happened.
        with due(None):
            found: Reply = await self._call("remember", Seen(epoch, 0, 0), 0, *(part for each in keys for part in each))
        if found is None:
            raise StoreLost("the store has lost the line")
        return {BuyerId(int(found[i])): found[i + 1] for i in range(0, len(found), 2)}

    async def keys_of(self, buyer_ids: Sequence[BuyerId]) -> Sequence[bytes | None]:
        """Return what is stored of the buyers' keys."""
        found: list[bytes | None] = await self._command("HMGET", self._keys[4], *buyer_ids)
        return found

    async def scan_keys(self, cursor: int, count: int) -> tuple[int, Mapping[BuyerId, bytes]]:
        """Return some buyers with their keys, and the cursor to go on from; 0 is the beginning, and the end."""
        following, found = await self._command("HSCAN", self._keys[4], cursor, "COUNT", count)
        return int(following), {BuyerId(int(buyer_id)): keys for buyer_id, keys in found.items()}

    async def head(self) -> tuple[int, bytes]:
        """Return the epoch, 0 where there is none, and the checkpoint. Raises `ForeignLine`."""
        epoch, checkpoint = await self._command("HMGET", self._keys[0], "epoch", "checkpoint")
        return self._number(epoch) if epoch else 0, checkpoint or b""

    async def open(self, epoch: int, checkpoint: bytes, *, chunks: Sequence[bytes]) -> int:
        """
        Begin *epoch* from *checkpoint* unless it, or a later one, has begun; return which one has.

        What the last epoch had as its checkpoint is removed. Raises `ForeignLine`.
        """
        return self._number(await self._call("open", Seen(epoch, 0, 0), 0, checkpoint, *self._chunks(chunks)))

    async def seal(self, seen: "Seen", checkpoint: bytes, *, chunks: Sequence[bytes], before: bytes) -> bool:
        """
        Put *checkpoint*, of the log up to *seen*, in the place of *before*, which is removed.

        Return whether that was still there, and the whole of *checkpoint*.
        """
        sealed: int = await self._call("seal", seen, 0, checkpoint, before, LOG_KEPT, *self._chunks(chunks))
        return bool(sealed)

    async def release(self, *, candidate: str, fence: int) -> None:
        """Give the admitter's lease up."""
        await self._call("release", Seen(0, 0, 0), 0, f"{candidate}:{fence}")

    async def write_chunk(self, name: bytes, chunk: bytes) -> None:
        """Store a part of a checkpoint, which goes by itself unless the checkpoint is opened or sealed in time."""
        await self._command("SET", *self._chunks([name]), chunk, "EX", CHUNK_S_MAX)

    async def read_chunk(self, name: bytes) -> bytes | None:
        """Return a part of a checkpoint, None if it is gone."""
        chunk: bytes | None = await self._command("GET", *self._chunks([name]))
        return chunk

    def _chunks(self, names: Sequence[bytes]) -> Sequence[bytes]:
        return [self._prefix + b"checkpoint:" + name for name in names]

    async def _run(self, script: str, seen: "Seen", *arguments: bytes | str | int) -> Tail:
        reply = await self._call(script, seen, ENTRIES_AT_ONCE, *arguments)
        self._stores_now = reply[1]
        return _tail(reply, self._clock.now())

    def _number(self, epoch: bytes) -> int:
        installation, _, number = epoch.decode().rpartition(":")
        if installation != self._installation:
            raise ForeignLine
        return int(number)

    async def _call(self, script: str, seen: "Seen", *arguments: bytes | str | int) -> Reply:
        # An epoch is told with whose it is, so that no script takes the line of another installation for ours.
        epoch = f"{self._installation}:{seen.epoch}"
        return await self._client.run(
            script, self._keys, [epoch, seen.position, seen.sign, *arguments], server=self.server
        )

    async def _command(self, *command: bytes | str | int) -> Reply:
        return await self._client.command(*command, server=self.server)


class Seen(NamedTuple):
    """How far a process has read: the epoch, the last entry of the log, the last of the signs."""

    epoch: int
    position: int
    sign: int


def _tail(reply: Reply, now: Instant) -> Tail:
    status = Status(reply[0].decode())
    if status is Status.LOST:
        return Tail(status, now)
    position, sign, gap_began, gap_ended, fence, entries, signs = reply[2:]
    return Tail(
        status, now, position, sign, Instant(gap_began), Instant(gap_ended), fence, _numbered(entries), _numbered(signs)
    )


def _numbered(flat: Sequence[bytes]) -> Sequence[tuple[int, bytes]]:
    return [(int(flat[i].partition(b"-")[0]), flat[i + 1]) for i in range(0, len(flat), 2)]
