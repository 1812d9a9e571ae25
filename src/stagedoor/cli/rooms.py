"""`stagedoor room`: the waiting rooms, looked at and changed while a server works with them."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import typer
from sqlalchemy import Connection

from stagedoor.adapters.sql.audit import append
from stagedoor.adapters.sql.demo import is_demo
from stagedoor.adapters.sql.room_book import SqlRoomBook
from stagedoor.adapters.sql.room_changes import SqlRoomDesk
from stagedoor.adapters.sql.seeding import seed_room
from stagedoor.bootstrap.database import Database, existing, written
from stagedoor.cli.options import Flags, command, optional_flag, settings_of
from stagedoor.cli.programme import one_line
from stagedoor.cli.sentences import Misused, Refused, actor, say
from stagedoor.cli.tables import local_time, show_table
from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.kernel.ids import RoomId
from stagedoor.operators.model import AuditEntry
from stagedoor.settings import TABLE
from stagedoor.settings.errors import UnfitError
from stagedoor.settings.rooms import POLICY_FIELDS
from stagedoor.settings.setting import flag
from stagedoor.settings.units import milliseconds
from stagedoor.waiting_room.rejections import UnknownRoom
from stagedoor.waiting_room.room import Room, RoomDefaults
from stagedoor.waiting_room.room_change import UNCHANGED, ImpossibleRoomChange, RoomAction, RoomChange, RoomDesk

rooms = typer.Typer(
    name="room",
    help="Waiting rooms: their state and policy. A server at work goes by a change within a second.",
    no_args_is_help=True,
)

FOLLOW_THE_SETTING = "default"
ROOM_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)

_TIMES = ("opens_at", "closes_at")
_ROWS = {row.name: row for row in TABLE}
_MEANINGS = {
    **{name: _ROWS[name].meaning for name in POLICY_FIELDS},
    "opens_at": "When it opens, or none. Until then buyers line up.",
    "closes_at": "When it closes, or none.",
}
_CHANGES = tuple(
    optional_flag(name, meaning=meaning, metavar=_ROWS[name].kind.metavar, panel="What to change")
    for name, meaning in _MEANINGS.items()
)

RoomArgument = Annotated[str, typer.Argument(metavar="ROOM", help="The room's id, such as main.", show_default=False)]


@command(rooms, "list")
def list_rooms(flags: Flags) -> None:
    """Show every room, its state and its policy as it is now."""
    settings = settings_of(flags)

    async def read() -> tuple[Sequence[Room], Instant]:
        async with existing(settings) as database:
            stored = await SqlRoomBook(database.lanes, await _defaults(database, flags)).all()
            return stored, database.clock.now()

    stored, now = asyncio.run(read())
    if not stored:
        say("There is no room yet: `stagedoor serve` makes main, `stagedoor room create ROOM` any other.")
        return
    _show(stored, settings.time_zone, now)


@command(
    rooms,
    "set",
    changes=_CHANGES,
    epilog="Examples: `stagedoor room set main --max-active 200 --admit-rate 12.5`\n\n"
    "`stagedoor room set main --opens-at 2027-01-09T20:00:00+09:00`\n\n`stagedoor room set main --max-active default`",
)
def set_room(room: RoomArgument, changes: Mapping[str, str], flags: Flags) -> None:
    """
    Change a room's policy or times; what is not named stays as it is.

    With the word default in place of a figure, the room follows the setting again. Lowering --max-active throws
    nobody out.
    """
    if not changes:
        raise Misused(
            f"say what to change, such as {flag('max_active')} 200: `stagedoor room set --help` shows what there is"
        )
    change = read_change(changes)
    _change(room, flags, lambda desk, room_id: desk.change(room_id, change, actor=actor()))


@command(rooms, "open")
def open_room(room: RoomArgument, flags: Flags) -> None:
    """Let the line move, now: an opening still to come is brought forward."""
    _act(room, RoomAction.OPEN, flags)


@command(rooms, "pause")
def pause_room(room: RoomArgument, flags: Flags) -> None:
    """Admit nobody until the room is opened again; every place is kept."""
    _act(room, RoomAction.PAUSE, flags)


@command(rooms, "close")
def close_room(room: RoomArgument, flags: Flags) -> None:
    """Take no more buyers and end the places of those who wait; who is admitted may finish."""
    _act(room, RoomAction.CLOSE, flags)


@command(rooms, "create")
def create_room(
    room: RoomArgument,
    flags: Flags,
    name: Annotated[
        str | None, typer.Option(help="Its name for people; the id, unless given.", show_default=False)
    ] = None,
) -> None:
    """Make a room, open, with the settings as its policy. `stagedoor seed performance --room ROOM` fills it."""
    if not ROOM_ID.fullmatch(room):
        raise Misused(
            f'"{room}" cannot name a room: use 1 to 64 of a-z, 0-9, ".", "_" and "-", a letter or digit first'
        )
    shown = room if name is None else one_line("--name", name)
    settings = settings_of(flags)

    def create(connection: Connection, now: Instant) -> bool:
        if not seed_room(connection, RoomId(room), name=shown):
            return False
        entry = AuditEntry(at=now, actor=actor(), action="room.create", subject=f"room:{room}", detail={"name": shown})
        append(connection, entry)
        return True

    async def write() -> bool:
        async with existing(settings) as database:
            return await written(database.lanes, partial(create, now=database.clock.now()))

    if not asyncio.run(write()):
        raise Refused(f'there is a room "{room}" already')
    say(f'The room "{room}" is made, and open.')


def read_change(changes: Mapping[str, str]) -> RoomChange:
    """Return what *changes*, as given on the command line, come to. Raises `Misused`."""
    policy = {
        field: None if changes[name] == FOLLOW_THE_SETTING else _policy_value(name, changes[name])
        for name, field in POLICY_FIELDS.items()
        if name in changes
    }
    opens_at, closes_at = (_instant(name, changes[name]) if name in changes else UNCHANGED for name in _TIMES)
    with _told_in_flags():
        return RoomChange(policy=policy, opens_at=opens_at, closes_at=closes_at)


@contextmanager
def _told_in_flags() -> Iterator[None]:
    """Name what is impossible as it was named on the command line."""
    try:
        yield
    except ImpossibleRoomChange as error:
        names = {field: name for name, field in POLICY_FIELDS.items()}
        raise Misused(f"{flag(names.get(error.field, error.field))} {error.problem}") from error


def _policy_value(name: str, text: str) -> float:
    value = _read(name, text)
    if not isinstance(value, int | float):
        raise Misused(f"{flag(name)} is none, but a room has a figure of its own or `{FOLLOW_THE_SETTING}`")
    return milliseconds(value) if name.endswith("_seconds") else value


def _instant(name: str, text: str) -> Instant | None:
    value = _read(name, text)
    assert value is None or isinstance(value, int)
    return None if value is None else Instant(value)


def _read(name: str, text: str) -> object:
    kind = _ROWS[name].kind
    try:
        value: object = kind.read(text)
    except UnfitError as unfit:
        raise Misused(f"{flag(name)} is {kind.mask(text)}, but it has to be {kind.allowed}") from unfit
    return value


def _act(room: str, action: RoomAction, flags: Flags) -> None:
    _change(room, flags, lambda desk, room_id: desk.act(room_id, action, actor=actor()))


def _change(room: str, flags: Flags, change: Callable[[RoomDesk, RoomId], Awaitable[Room]]) -> None:
    settings = settings_of(flags)

    async def write() -> tuple[Room, Instant]:
        async with existing(settings) as database:
            desk = SqlRoomDesk(database.lanes, database.clock, defaults=await _defaults(database, flags))
            return await change(desk, RoomId(room)), database.clock.now()

    try:
        with _told_in_flags():
            changed, now = asyncio.run(write())
    except UnknownRoom as error:
        raise Refused(f'there is no room "{room}": `stagedoor room list` shows those there are') from error
    _show([changed], settings.time_zone, now)


async def _defaults(database: Database, flags: Flags) -> RoomDefaults:
    """Return what holds where a room's row says nothing: the demo has defaults of its own."""
    return settings_of(flags, demo=await database.lanes.reading(is_demo)).room_defaults


def _show(rooms_now: Iterable[Room], time_zone: str, now: Instant) -> None:
    show_table(
        ("room", "state", "max active", "rate /s", "idle", "session", "away", "entry", "opens", "closes", "name"),
        [
            (
                room.id,
                room.state_at(now).value,
                f"{room.policy.max_active:,}",
                "-" if room.policy.rate is None else f"{room.policy.rate:g}",
                _seconds(room.policy.idle_timeout_ms),
                _seconds(room.policy.session_max_ms),
                _seconds(room.policy.away_after_ms),
                _seconds(room.policy.entry_window_ms),
                local_time(room.opens_at, time_zone),
                local_time(room.closes_at, time_zone),
                room.name,
            )
            for room in rooms_now
        ],
    )


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / SECOND_MS:g} s"
