"""`stagedoor key`: the operators' keys to `/ops/api`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from stagedoor.adapters.sql.operator_keys import SqlOperatorKeys
from stagedoor.bootstrap.database import existing
from stagedoor.cli.options import Flags, command, settings_of
from stagedoor.cli.sentences import actor, say
from stagedoor.cli.tables import local_time, show_table
from stagedoor.operators.model import OperatorKey, Role

keys = typer.Typer(
    name="key",
    help="Operators' keys: without one, a server has no /ops. A server at work sees a change within a second.",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the key is called, in the audit too.")]


@command(keys, "create", epilog="Example: `stagedoor key create front-desk --role operate`")
def create_key(
    name: NameArgument,
    flags: Flags,
    role: Annotated[
        Role,
        typer.Option(help="view: look; operate: look, and run rooms and places; money: look, and credit wallets."),
    ] = Role.VIEW,
) -> None:
    """Make a key and print it: this once, because only its digest is stored."""
    settings = settings_of(flags)

    async def write() -> str:
        async with existing(settings) as database:
            return await SqlOperatorKeys(database.lanes, database.clock).create_key(name, role, actor=actor())

    say(asyncio.run(write()))


@command(keys, "list")
def list_keys(flags: Flags) -> None:
    """Show every key, revoked ones too; never the keys themselves."""
    settings = settings_of(flags)

    async def read() -> Sequence[OperatorKey]:
        async with existing(settings) as database:
            return await SqlOperatorKeys(database.lanes, database.clock).all()

    stored = asyncio.run(read())
    if not stored:
        say("There is no key: `stagedoor key create NAME` makes one.")
        return
    show_table(
        ("key", "role", "created", "revoked"),
        [
            (
                key.name,
                key.role.value,
                local_time(key.created_at, settings.time_zone),
                local_time(key.revoked_at, settings.time_zone),
            )
            for key in stored
        ],
    )


@command(keys, "revoke")
def revoke_key(name: NameArgument, flags: Flags) -> None:
    """Refuse a key from now on. Its name is never given again."""
    settings = settings_of(flags)

    async def write() -> None:
        async with existing(settings) as database:
            await SqlOperatorKeys(database.lanes, database.clock).revoke_key(name, actor=actor())

    asyncio.run(write())
    say(f'The key "{name}" is revoked.')
