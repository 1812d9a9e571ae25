"""One Redis server, reached without a second try: what was not answered is looked up in the log, never sent again."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from hashlib import sha1
from importlib.resources import files
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from stagedoor.adapters.in_time import in_time
from stagedoor.adapters.resets import was_reset
from stagedoor.kernel.errors import Fault

CALL_S_MAX = 1.0
"""Whoever waits for the store waits no longer; connecting takes no longer than that either."""

CONNECTIONS_MAX = 8

Guard = Callable[[], AbstractContextManager[object]]

Reply = Any
"""What a script returns, or a command: nested lists of bytes and integers."""


class StoreLost(Fault):
    """The line's store did not answer, or is not the one it was."""


class OtherServer(RedisError):  # noqa: N818 -- ours are no errors by name
    """The address leads to another server than the one the caller means: it may not have all that one had."""


class RedisClient:
    """
    A bounded pool of connections to the server that is at one address now.

    After a failover, or a restart, that is another one, told by its run id.
    Whoever has something there says with each call which `server` it is meant
    for: none reaches another, and from the first connection that has found
    another on none reaches the old one either, though that may still answer.

    Nobody waits for a connection beyond her deadline, and nothing is sent after
    it: then `TooLate`, `DeadlineMissed` or `CallersDeadlineMissed` is raised,
    and nothing has happened. What was sent is waited for, however late it is:
    it may be done, and its answer is for everybody.
    """

    def __init__(self, url: str, *, guard: Guard = nullcontext) -> None:
        """
        Connect to *url* (`redis://` or, with TLS, `rediss://`, a password in it) when it is needed.

        Each call is made within a *guard*, such as a breaker's: what that refuses is not sent.
        """
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=CALL_S_MAX,
            socket_timeout=CALL_S_MAX,
            socket_connect_timeout=CALL_S_MAX,
            decode_responses=False,
            protocol=2,
            # redis-py would send a lost command ten times, and CLIENT SETINFO is younger than Redis 6.2.
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            redis_connect_func=self._connected,
        )
        self._guard = guard
        self._redis: Redis = Redis(connection_pool=pool)
        self._scripts = {name: Script(name) for name in _SCRIPTS}
        self._leads_to: WeakKeyDictionary[AbstractConnection, str] = WeakKeyDictionary()
        self.server = ""

    async def serving(self) -> str:
        """Return the run id of the `server` that is there now, by a connection of its own. Raises `StoreLost`."""
        connection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]

        async def look() -> None:
            try:
                await connection.connect()
            finally:
                await connection.disconnect()

        await self._answered(look)
        return self.server

    async def run(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], *, server: str
    ) -> Reply:
        """Run the script of that name on *server*, once. Raises `StoreLost`: then nobody knows whether it was run."""
        call = secrets.token_bytes(8)
        reply = await self._answered(lambda: self._run(server, self._scripts[script], keys, (call, *arguments)))
        if reply[0] != call:
            # Somewhere on the way an answer was doubled: on that connection all that follow would be somebody else's.
            await self._redis.connection_pool.disconnect()
            raise StoreLost("the answer belongs to another call")
        return reply[1]

    async def command(self, *command: bytes | str | int, server: str) -> Reply:
        """Send one command to *server*, once. Raises `StoreLost`."""
        return await self._answered(lambda: self._sent(server, *command))

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose(close_connection_pool=True)

    async def _run(
        self, server: str, script: "Script", keys: Sequence[bytes], arguments: Sequence[bytes | str | int]
    ) -> Reply:
        try:
            return await self._sent(server, "EVALSHA", script.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            # The server says that it has not run it, so this is the first time.
            return await self._sent(server, "EVAL", script.text, len(keys), *keys, *arguments)

    async def _sent(self, server: str, *command: bytes | str | int) -> Reply:
        pool = self._redis.connection_pool
        async with in_time():
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            async with in_time():
                if self._leads_to.get(connection) != self.server:
                    # It has led to the server before this one, and may do so for as long as that one lives.
                    await connection.disconnect()
                    await connection.connect()
            if server != self.server:
                raise OtherServer("not the server the line was opened on")
            await connection.send_command(*command)
            return await self._redis.parse_response(connection, command[0])  # type: ignore[arg-type]  # a name
        finally:
            await pool.release(connection)

    async def _answered(self, call: Callable[[], Awaitable[Reply]]) -> Reply:
        with ExitStack() as guarded:
            try:
                guarded.enter_context(self._guard())
            except Fault as refused:
                raise StoreLost("the store is not asked for now", retry_after_ms=refused.retry_after_ms) from refused
            return await self._in_time(call())

    async def _in_time(self, call: Awaitable[Reply]) -> Reply:
        try:
            async with asyncio.timeout(2 * CALL_S_MAX):
                return await call
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreLost(f"redis: {error!r}") from error
        except RuntimeError as error:
            if was_reset(error):
                raise StoreLost("redis: the connection was reset") from error
            raise

    async def _connected(self, connection: AbstractConnection) -> None:
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        self._leads_to[connection] = self.server = _run_id(await connection.read_response())


def _run_id(info: bytes | str) -> str:
    text = info.decode() if isinstance(info, bytes) else info
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return lines["run_id"]


_FOLDER = files("stagedoor.adapters.redis") / "lua"
_SCRIPTS = ("catch_up", "append", "turn", "decide", "remember", "open", "seal", "release")


def digest_of(text: str) -> str:
    """Return what the server calls the script *text*."""
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


class Script:
    """A script's text, with what all begin with before it, and what the server calls it."""

    def __init__(self, name: str) -> None:
        """Read the script of that name."""
        self.text = "\n".join((_FOLDER / f"{part}.lua").read_text() for part in ("room", name))
        self.digest = digest_of(self.text)
