"""The command on a database server: only `migrate` changes its schema, and all who serve agree on their settings."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from scripts.services import Redis
from stagedoor.adapters.sql import schema
from stagedoor.bootstrap.database import DatabaseRefused, existing, migrated, opened, serving, written
from stagedoor.bootstrap.preparing import prepare
from stagedoor.settings import Settings, SettingsError, load
from tests.integration.cli.command import Command, commands_in, done, refused

SECRET = "a secret for tests alone, longer than 32 bytes"  # noqa: S105 -- it guards nothing


@pytest.fixture
def environ(database_url: str, redis_url: str) -> dict[str, str]:
    return {
        "STAGEDOOR_DATABASE_URL": database_url,
        "STAGEDOOR_REDIS_URL": redis_url,
        "STAGEDOOR_SECRET": SECRET,
        "STAGEDOOR_DATA_DIR": "unused",
    }


@pytest.fixture
def stagedoor(tmp_path: Path, environ: dict[str, str]) -> Command:
    return commands_in(tmp_path, **environ)


@pytest.fixture
def settings(environ: dict[str, str]) -> Callable[..., Settings]:
    def changed(**figures: str) -> Settings:
        return load(flags={}, environ={**environ, **{f"STAGEDOOR_{name}": value for name, value in figures.items()}})

    return changed


async def served_once(settings: Settings, *, demo: bool = False) -> None:
    """Prepare the database as a process does that is about to serve."""
    async with serving(settings) as database:
        await prepare(database, settings, demo=demo)


def test_nobody_serves_from_an_empty_database(stagedoor: Command) -> None:
    sentence = refused(stagedoor("serve"))

    assert sentence.startswith("There is nothing in ")
    assert sentence.endswith("`stagedoor migrate` makes its schema.")
    assert "***@" in sentence


def test_migrate_makes_the_schema_once(stagedoor: Command) -> None:
    assert f"now has schema {schema.HEAD}" in done(stagedoor("migrate"))
    assert f"already had schema {schema.HEAD}" in done(stagedoor("migrate"))


def test_two_migrations_at_once_make_one_schema(stagedoor: Command, settings: Callable[..., Settings]) -> None:
    answers: list[str] = []
    # The runner of the tests changes the process's environment, so the second one goes without it.
    other = threading.Thread(target=lambda: answers.append(asyncio.run(_migrated(settings()))))
    other.start()
    done(stagedoor("migrate"))
    other.join()

    assert answers == [schema.HEAD]


async def _migrated(settings: Settings) -> str:
    async with opened(settings) as database:
        await migrated(database.lanes)
        found = await database.lanes.reading(schema.current)
    assert found is not None
    return found


async def test_a_schema_that_is_not_known_is_left_alone(stagedoor: Command, settings: Callable[..., Settings]) -> None:
    await asyncio.to_thread(lambda: done(stagedoor("migrate")))
    async with existing(settings()) as database:
        await written(database.lanes, lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))

    with pytest.raises(DatabaseRefused, match="is 9999, and this stagedoor needs"):
        await served_once(settings())


def test_commands_work_on_it(stagedoor: Command) -> None:
    done(stagedoor("migrate"))
    done(stagedoor("seed", "members", "--count", "1000"))
    done(stagedoor("room", "create", "main"))
    done(stagedoor("seed", "performance", "--title", "Gala", "--starts", "2031-04-02 19:30", "--hall", "club"))
    done(stagedoor("room", "set", "main", "--max-active", "7"))
    assert len(done(stagedoor("key", "create", "front-desk")).strip()) > 32

    assert " 7 " in done(stagedoor("room", "list"))
    assert "invariants hold" in done(stagedoor("check"))
    assert "1,000 members, 1 performances" in done(stagedoor("doctor"))
    for words in (["backup", "x.db"], ["restore", "x.db"], ["demo-reset"]):
        assert "is a server's database" in refused(stagedoor(*words))


def test_nobody_serves_with_a_redis_that_has_the_line_of_another_database(
    stagedoor: Command, redis_server: Redis
) -> None:
    done(stagedoor("migrate"))
    assert redis_server.ask("HSET stagedoor:{main}:head epoch another:7") == ":1"

    refusal = stagedoor("serve", "--port", "0")

    assert refusal.exit_code == 1
    *_, sentence = refusal.stderr.splitlines()
    assert sentence.startswith("stagedoor: The Redis has the line of another database: name another STAGEDOOR_REDIS_")
    assert redis_server.ask("HLEN stagedoor:{main}:head") == ":1"


async def test_who_serves_first_decides_the_settings_of_all(
    stagedoor: Command, settings: Callable[..., Settings]
) -> None:
    await asyncio.to_thread(lambda: done(stagedoor("migrate")))
    await served_once(settings(HOLD_SECONDS="240"))

    await served_once(settings(HOLD_SECONDS="240", LOG_LEVEL="error"))
    with pytest.raises(SettingsError, match=r"^STAGEDOOR_HOLD_SECONDS is 300.*have agreed on 240.*stagedoor agree"):
        await served_once(settings(HOLD_SECONDS="300"))
    with pytest.raises(SettingsError, match=r"^STAGEDOOR_SECRET is .*have agreed on another one"):
        await served_once(settings(HOLD_SECONDS="240", SECRET="x" * 32))


async def test_agreeing_on_other_settings(stagedoor: Command, settings: Callable[..., Settings]) -> None:
    await asyncio.to_thread(lambda: done(stagedoor("migrate")))
    await served_once(settings(HOLD_SECONDS="240"))

    await asyncio.to_thread(lambda: done(stagedoor("agree", "--hold-seconds", "300")))

    await served_once(settings(HOLD_SECONDS="300"))
    with pytest.raises(SettingsError, match=r"^STAGEDOOR_HOLD_SECONDS is 240.*have agreed on 300"):
        await served_once(settings(HOLD_SECONDS="240"))


async def test_several_processes_prepare_one_demo(stagedoor: Command, settings: Callable[..., Settings]) -> None:
    await asyncio.to_thread(lambda: done(stagedoor("migrate")))

    await asyncio.gather(*(served_once(settings(), demo=True) for _ in range(3)))

    assert "100,000 members, 9 performances" in await asyncio.to_thread(lambda: done(stagedoor("doctor")))
