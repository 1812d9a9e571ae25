"""One evening: a database with its programme, the server on it, buyers who have not yet done anything."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from shutil import copyfile
from typing import Protocol

from typer.testing import CliRunner

from stagedoor.cli import application
from tests.e2e.harness.client import Client
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Programme, RoomPlan, Staged, balances, stage
from tests.e2e.harness.server import PRODUCT, Server, command, environment

MEMBERS = 8_000
OPENING_BALANCE_WON = 300_000


def check_in_a_process(evening: "Evening") -> None:
    """Let `stagedoor check` look at what all stories together have left."""
    done = command(evening.database, "check")
    assert done.returncode == 0, done.stdout + done.stderr


def make_members(database: Path) -> None:
    """Let the product make the schema, and the members the stories draw on."""
    words = ("seed", "members", "--count", str(MEMBERS), "--balance", str(OPENING_BALANCE_WON))
    made = command(database, *words)
    assert made.returncode == 0, made.stdout + made.stderr


class House(Protocol):
    """What a race is run on: one process, or several that buyers reach in turn."""

    def show(self, room_id: str, which: int = 0) -> Staged:
        """Return a performance of the room."""
        ...

    def client(self) -> AbstractAsyncContextManager[Client]:
        """Open a client."""
        ...

    def fans(self, count: int, client: Client, room_id: str) -> list[Fan]:
        """Return buyers whom no other story knows."""
        ...

    def fan(self, client: Client, room_id: str) -> Fan:
        """Return one such buyer."""
        ...


class Evening:
    """What a story plays on. The server can be exchanged for a new one on the same data."""

    def __init__(
        self, database: Path, programme: Programme, settings: Mapping[str, str], program: Sequence[str]
    ) -> None:
        self._next_buyer = itertools.count(1)
        self._settings = settings
        self._program = program
        self.database = database
        self.programme = programme
        self.start()

    @classmethod
    @contextmanager
    def on(
        cls,
        database: Path,
        rooms: Sequence[RoomPlan],
        *,
        members: Path,
        settings: Mapping[str, str] | None = None,
        program: Sequence[str] = PRODUCT,
    ) -> Iterator["Evening"]:
        """Copy *members*, stage *rooms*, serve; at the end the server is gone, however the story went."""
        copyfile(members, database)
        evening = cls(database, stage(database, rooms), settings or {}, program)
        try:
            yield evening
        finally:
            evening.server.close()

    @contextmanager
    def restored(self, backup: Path, database: Path) -> Iterator["Evening"]:
        """Restore *backup* as *database*, and serve that: the same programme, and buyers who are new to both."""
        database.parent.mkdir()
        done = command(database, "restore", str(backup))
        assert done.returncode == 0, done.stdout + done.stderr
        evening = type(self)(database, self.programme, self._settings, self._program)
        evening._next_buyer = self._next_buyer  # noqa: SLF001 -- its own kind
        try:
            yield evening
        finally:
            evening.server.close()

    def show(self, room_id: str, which: int = 0) -> Staged:
        """Return a performance of the room."""
        return self.programme.shows[room_id][which]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Open a client of the server that runs now."""
        async with Client.on(self.server.port) as client:
            yield client

    def fans(self, count: int, client: Client, room_id: str) -> list[Fan]:
        """Return buyers whom no other story knows."""
        numbers = itertools.islice(self._next_buyer, count)
        return [Fan(client=client, buyer_id=number, room_id=room_id) for number in numbers]

    def fan(self, client: Client, room_id: str) -> Fan:
        """Return one such buyer."""
        return self.fans(1, client, room_id)[0]

    def start(self) -> None:
        """Serve the same data with a new process, and do not wait for it."""
        self.server = Server.start(self.database, self._settings, program=self._program)

    def start_again(self) -> None:
        """Serve the same data with a new process, and return when it is ready."""
        self.start()
        assert self.server.port

    def cli(self, *words: str) -> str:
        """
        Run a command of the product on the same data and return what it printed.

        The command line itself, but inside this process: starting another one takes longer than most stories.
        """
        told = environment(self.database, self._settings)
        unset = {name: None for name in os.environ if name.startswith("STAGEDOOR_") and name not in told}
        with ThreadPoolExecutor(1) as thread:  # a command runs a loop of its own, and this may be called inside of one
            done = thread.submit(CliRunner().invoke, application(), words, env={**told, **unset}).result()
        assert done.exit_code == 0, f"{' '.join(words)} ended with {done.exit_code}\n{done.output}"
        return done.output

    def stored_balances(self, fans: Sequence[Fan]) -> dict[int, int]:
        """Read the buyers' balances from the data, whether or not anybody serves."""
        found = balances(self.database)
        return {fan.buyer_id: found[fan.buyer_id] for fan in fans}

    def check(self) -> None:
        """Every invariant holds over what is stored."""
        self.cli("check")


class Evenings(Protocol):
    """Opens an evening of a story's own."""

    def __call__(self, *rooms: RoomPlan, mutant: str | None = None, **settings: str) -> AbstractContextManager[Evening]:
        """Stage *rooms* and serve with *settings*; *mutant* names the guard that is taken out of the server."""
        ...
