"""An evening on a cluster: one database, one Redis, and several processes that buyers reach in turn."""

import asyncio
import itertools
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

from stagedoor.adapters.sql import schema
from stagedoor.adapters.sql.seeding import seed_members
from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.money import Won
from tests.cluster.falls_asleep import is_asleep
from tests.e2e.harness.answers import NOBODY, Answer, now_ms
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Programme, RoomPlan, Staged, stage_in
from tests.e2e.harness.server import PRODUCT, SECRET, Server, environment

MEMBERS = 4_000


def settings_for(database_url: str, redis_url: str, **figures: str) -> dict[str, str]:
    """Return what every process of the cluster is told, by the names of settings."""
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET": SECRET, **figures}


async def lay_out(database_url: str, rooms: Sequence[RoomPlan], *, members: int = MEMBERS) -> Programme:
    """Make the schema, members with money, and *rooms* in an empty database."""
    lanes = ServerLanes(database_url, COMMAND)
    try:
        async with lanes.writing() as transaction:
            await transaction.run(schema.upgrade)
            await transaction.commit(proof=lambda _: False)
        now = now_ms()
        async with lanes.writing() as transaction:
            await transaction.run(
                lambda connection: seed_members(
                    connection, range(1, members + 1), balance_won=Won(OPENING_BALANCE_WON), now=Instant(now)
                )
            )
            programme = await transaction.run(lambda connection: stage_in(connection, rooms, now))
            await transaction.commit(proof=lambda _: False)
    finally:
        await lanes.close()
    return programme


UNAVAILABLE = 503
LAST_LINES = 15
PUT_OFF_MAX = 60
COME_BACK_S = 0.25

CATCHING_UP_LOOKS = 20
CATCHING_UP_SECONDS = 0.5
_VIOLATED = re.compile(r"^(\S+) +[\d,]+ +[1-9][\d,]* ", re.MULTILINE)


class RoundRobin(Client):
    """A client that goes to another process with each request, as a load balancer that knows nothing would."""

    def __init__(self, clients: Sequence[Client]) -> None:
        super().__init__(clients[0].port)
        self.clients = clients
        self._turn = itertools.cycle(clients)
        for client in clients:
            client.record, client.cut = self.record, self.cut

    async def ask(  # noqa: PLR0913 -- as its base
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        token: str | None = None,
        key: str | None = None,
        buyer_id: int = NOBODY,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request to whichever process it is the turn of."""
        return await next(self._turn).ask(
            method, path, body=body, raw=raw, token=token, key=key, buyer_id=buyer_id, headers=headers or {}
        )

    async def send_and_hang_up(self, method: str, path: str, *, body: object, token: str, key: str | None) -> None:
        """Send one request to whichever process it is the turn of, and be gone before it is answered."""
        await next(self._turn).send_and_hang_up(method, path, body=body, token=token, key=key)

    def hang_up(self) -> None:
        """Close the connections to all of them."""
        for client in self.clients:
            client.hang_up()


class ComesBack(RoundRobin):
    """
    A client who asks again where she is put off, as she is told to.

    A slow machine has a cluster put buyers off that a quick one would serve, and
    mostly nothing of it has happened then: so the record does not have it either.
    Where the database answered too late it has happened all the same: what a
    crowd asks for goes by key, so that to ask again is to be told of it.
    """

    async def ask(self, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401 -- as its base
        """Send one request to one process after the other, until one does more than to put her off."""
        answer = await super().ask(method, path, **more)
        for _ in range(PUT_OFF_MAX):
            if answer.status != UNAVAILABLE:
                break
            self.record.remove(answer)
            await asyncio.sleep(COME_BACK_S)
            answer = await super().ask(method, path, **more)
        return answer


class Cluster:
    """Processes on one database and one Redis, each a server of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str], programme: Programme) -> None:
        self._folder = folder
        self._next_buyer = itertools.count(1)
        self._names = itertools.count(1)
        self.settings = settings
        self.programme = programme
        self.servers: list[Server] = []

    @classmethod
    @contextmanager
    def of(
        cls,
        size: int,
        folder: Path,
        settings: Mapping[str, str],
        programme: Programme,
        *,
        program: Sequence[str] = PRODUCT,
    ) -> Iterator[Self]:
        """Serve with *size* processes; at the end they are gone, however the story went."""
        cluster = cls(folder, settings, programme)
        try:
            for _ in range(size):
                cluster.start(program=program)
            for server in cluster.servers:
                assert server.port
            yield cluster
        except BaseException as error:
            error.add_note(cluster.last_words())
            raise
        finally:
            for server in cluster.servers:
                server.close()

    def last_words(self) -> str:
        """Return what each process logged last, for whoever looks into a story that went wrong."""
        lines = []
        for server in self.servers:
            state = "gone" if not server.is_running else "asleep" if is_asleep(server.pid) else "awake"
            lines += [f"{server.log}, {state}:", *server.log.read_text().splitlines()[-LAST_LINES:]]
        return "\n".join(lines)

    def start(self, *, program: Sequence[str] = PRODUCT, **figures: str) -> Server:
        """Start one more process, and do not wait for it."""
        folder = self._folder / f"process-{next(self._names)}"
        folder.mkdir(parents=True)
        server = Server.start(folder / "unused.db", {**self.settings, **figures}, program=program)
        self.servers.append(server)
        return server

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RoundRobin]:
        """Open a client that goes to the processes in turn, and comes back where she is put off."""
        client = ComesBack([Client(server.port) for server in self.servers])
        try:
            yield client
        finally:
            client.hang_up()

    def fans(self, count: int, client: Client, room_id: str) -> list[Fan]:
        """Return buyers whom no other story knows."""
        return [Fan(client=client, buyer_id=n, room_id=room_id) for n in itertools.islice(self._next_buyer, count)]

    def fan(self, client: Client, room_id: str) -> Fan:
        """Return one such buyer."""
        return self.fans(1, client, room_id)[0]

    def show(self, room_id: str, which: int = 0) -> Staged:
        """Return a performance of the room."""
        return self.programme.shows[room_id][which]

    def command(self, *words: str) -> str:
        """Run a command of the product on the same data and return what it printed."""
        done = subprocess.run(  # noqa: S603 -- the product itself
            [sys.executable, *PRODUCT, *words],
            env=environment(self._folder / "unused.db", self.settings),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    async def checked(self) -> str:
        """
        Return what `stagedoor check` says of all that is stored; fail unless every invariant holds.

        What the database records of the line is a turn behind the line, and more
        where its leader has just died; that alone gets time to catch up.
        """
        for _ in range(CATCHING_UP_LOOKS):
            try:
                return await asyncio.to_thread(self.command, "check")
            except AssertionError as failed:
                if set(_VIOLATED.findall(str(failed))) != {"line-was-told"}:
                    raise
            await asyncio.sleep(CATCHING_UP_SECONDS)
        return await asyncio.to_thread(self.command, "check")
