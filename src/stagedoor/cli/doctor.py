"""`stagedoor doctor`: what the settings come to, and whether the machine can serve with them."""

import asyncio
import platform
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from typing import Annotated

import typer

from stagedoor import __version__
from stagedoor.adapters.clock import SystemClock
from stagedoor.adapters.kafka.access import BrokerFault, look_at
from stagedoor.adapters.kafka.wire import HOLDS, ORDERS
from stagedoor.adapters.sql import schema
from stagedoor.bootstrap.database import is_there, schema_sentence
from stagedoor.bootstrap.events import kafka_access
from stagedoor.bootstrap.preparing import ALIVE_WITHIN_MS
from stagedoor.bootstrap.stored import Stored, read_stored
from stagedoor.cli.options import SETTING_FLAGS, Flags, command, settings_of
from stagedoor.cli.sentences import FAILED, say
from stagedoor.cli.tables import local_time, show_table
from stagedoor.http.server import AddressInUse, listen
from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.kernel.errors import Fault
from stagedoor.resilience.breaker import ON_SALE
from stagedoor.resilience.breakers import Instance
from stagedoor.resilience.reserve import RECOVERY
from stagedoor.settings import TABLE, Settings
from stagedoor.settings.breaker_words import differences
from stagedoor.settings.secret_file import SECRET_FILE

PACKAGES = ("alembic", "litestar", "msgspec", "rich", "sqlalchemy", "typer", "uvicorn", "uvloop")

FREE_BYTES_MIN = 100 << 20
FREE_BYTES_SOON = 1 << 30
_GIB = 1 << 30
CLOCK_BEHIND_MS_MAX = 5 * SECOND_MS


class Verdict(Enum):
    """What a look at something came to."""

    FINE = "ok"
    REMARK = "note"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One look at one thing."""

    what: str
    verdict: Verdict
    detail: str


def add_doctor(app: typer.Typer, *, panel: str) -> None:
    """Give *app* the command of this file."""
    command(app, "doctor", panel=panel, flags=SETTING_FLAGS)(doctor)


def doctor(
    flags: Flags,
    *,
    demo: Annotated[bool, typer.Option("--demo", help="Show the settings as `serve --demo` has them.")] = False,
) -> None:
    """Show every setting with its origin, the versions, and whether everything needed is there. Changes nothing."""
    settings = settings_of(flags, demo=demo)
    say("Settings")
    show_table(
        ("setting", "value", "from"),
        [(row.variable, row.show(getattr(settings, row.name)), str(settings.origins[row.name])) for row in TABLE],
    )
    say("\nBreakers")
    show_table(
        ("breaker", "settings"),
        [(each.value, differences(settings.breakers.get(each, ON_SALE))) for each in Instance],
    )
    say("\nVersions")
    show_table(("what", "version"), versions())
    say("\nFindings")
    findings = list(look(settings))
    show_table(("what", "", "detail"), [(each.what, each.verdict.value, each.detail) for each in findings])
    if any(each.verdict is Verdict.WRONG for each in findings):
        raise typer.Exit(FAILED)


def versions() -> Sequence[tuple[str, str]]:
    """Return what runs here, and of which version."""
    return [
        ("stagedoor", __version__),
        ("python", platform.python_version()),
        ("sqlite", sqlite3.sqlite_version),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        *((package, version(package)) for package in PACKAGES),
    ]


def look(settings: Settings) -> Iterator[Finding]:
    """Look at all that serving needs."""
    yield secret(settings)
    if not settings.is_cluster:
        yield disk(settings)
    yield address(settings)
    if settings.kafka_bootstrap is not None:
        yield kafka(settings)
    where = settings.database_shown
    if not is_there(settings):
        yield Finding(what="database", verdict=Verdict.REMARK, detail=f"{where} is not there yet; serving makes it")
        return
    try:
        stored = asyncio.run(read_stored(settings))
    except Fault as fault:
        yield Finding(what="database", verdict=Verdict.WRONG, detail=f"{where}: {fault}")
        return
    yield from database(settings, stored, now=SystemClock().now())


def kafka(settings: Settings) -> Finding:
    """Look whether the brokers answer."""
    try:
        brokers, missing = asyncio.run(look_at(kafka_access(settings), (ORDERS, HOLDS)))
    except BrokerFault as fault:
        return Finding(what="kafka", verdict=Verdict.WRONG, detail=f"{fault}; events wait in the database meanwhile")
    detail = "1 broker answers" if brokers == 1 else f"{brokers} brokers answer"
    if missing:
        detail += f"; no topic {' or '.join(missing)} yet: publishing makes it"
    return Finding(what="kafka", verdict=Verdict.FINE, detail=detail)


def secret(settings: Settings) -> Finding:
    """Look at what tokens are signed with."""
    if settings.secret is not None:
        return Finding(what="secret", verdict=Verdict.FINE, detail=str(settings.origins["secret"]))
    path = settings.data_dir.absolute() / SECRET_FILE
    if not path.exists():
        return Finding(what="secret", verdict=Verdict.REMARK, detail=f"not there yet; serving generates {path}")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(what="secret", verdict=Verdict.WRONG, detail=f"{path} can be read by others: chmod 600 it")
    return Finding(what="secret", verdict=Verdict.FINE, detail=str(path))


def disk(settings: Settings) -> Finding:
    """Look at the room that the database can grow into."""
    folder = settings.database_file.absolute().parent
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    reserve = settings.disk_reserve.needed(usage.total)
    least = max(FREE_BYTES_MIN, reserve)
    verdict = Verdict.WRONG
    if usage.free >= least:
        verdict = Verdict.FINE if usage.free >= max(FREE_BYTES_SOON, least * RECOVERY) else Verdict.REMARK
    detail = f"{usage.free / _GIB:,.1f} GiB free in {folder}, {reserve / _GIB:,.1f} GiB are the reserve"
    return Finding(what="disk", verdict=verdict, detail=detail)


def address(settings: Settings) -> Finding:
    """Look at whether anything listens already where the server would."""
    where = f"{settings.host}:{settings.port}"
    try:
        listen(settings.host, settings.port).close()
    except AddressInUse:
        detail = f"{where} is taken: by a server at work, or by something else"
        return Finding(what="address", verdict=Verdict.REMARK, detail=detail)
    except OSError as error:
        detail = f"{where} cannot be listened on: {error.strerror}"
        return Finding(what="address", verdict=Verdict.WRONG, detail=detail)
    return Finding(what="address", verdict=Verdict.FINE, detail=f"{where} is free")


def database(settings: Settings, stored: Stored, *, now: Instant) -> Iterator[Finding]:
    """Judge what the database says of itself."""
    where = settings.database_shown
    if stored.damage != "ok":
        yield Finding(what="database", verdict=Verdict.WRONG, detail=f"{where} is damaged: {stored.damage}")
    elif stored.empty:
        fills = "`stagedoor migrate` prepares" if settings.is_cluster else "serving fills"
        yield Finding(what="database", verdict=Verdict.REMARK, detail=f"{where} is empty; {fills} it")
    elif stored.schema != schema.HEAD:
        yield Finding(what="database", verdict=Verdict.WRONG, detail=schema_sentence(settings, stored.schema))
    else:
        holds = f"{stored.members:,} members, {stored.performances:,} performances"
        yield Finding(what="database", verdict=Verdict.FINE, detail=f"{where}: schema {stored.schema}, {holds}")
        yield from clock(settings, stored.alive_at, now=now)


def clock(settings: Settings, alive_at: Instant | None, *, now: Instant) -> Iterator[Finding]:
    """Compare the machine's clock with what a server last wrote."""
    shown = local_time(now, settings.time_zone)
    if alive_at is not None and alive_at - now > CLOCK_BEHIND_MS_MAX:
        behind = f"{(alive_at - now) / SECOND_MS:,.0f} s behind what a server wrote last"
        yield Finding(what="clock", verdict=Verdict.WRONG, detail=f"{shown}: {behind}")
        return
    yield Finding(what="clock", verdict=Verdict.FINE, detail=shown)
    if alive_at is None:
        yield Finding(what="server", verdict=Verdict.REMARK, detail="none has served from this database yet")
    elif now - alive_at <= ALIVE_WITHIN_MS:
        yield Finding(what="server", verdict=Verdict.FINE, detail="at work on this database")
    else:
        last = local_time(alive_at, settings.time_zone)
        yield Finding(what="server", verdict=Verdict.REMARK, detail=f"not at work; last at {last}")
