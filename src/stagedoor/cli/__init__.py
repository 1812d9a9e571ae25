"""The command `stagedoor`: a file for each group of commands."""

from typing import Annotated

import typer

from stagedoor import __version__
from stagedoor.cli.apart import add_relay, consumers
from stagedoor.cli.backups import add_backup_commands
from stagedoor.cli.check import add_check
from stagedoor.cli.data import add_data_commands
from stagedoor.cli.doctor import add_doctor
from stagedoor.cli.events import events
from stagedoor.cli.keys import keys
from stagedoor.cli.rooms import rooms
from stagedoor.cli.sale import sale
from stagedoor.cli.seed import seed
from stagedoor.cli.sentences import say
from stagedoor.cli.serve import add_serve


def application() -> typer.Typer:
    """Return the command with all its subcommands."""
    app = typer.Typer(
        name="stagedoor",
        help="An on-sale engine: waiting room, seats, holds, wallet and payment.",
        epilog=(
            "New here? `stagedoor serve --demo` starts a server with members, halls and dates to try.\n\n"
            "A setting is a flag (`--max-active`), a variable (`STAGEDOOR_MAX_ACTIVE`) or a line of `stagedoor.toml` "
            "(`max_active = 200`); the first of them that is there wins. `stagedoor doctor` shows all, and which won."
        ),
        no_args_is_help=True,
        rich_markup_mode="markdown",
        add_completion=False,
        # A stack trace with local variables in it would show secrets.
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    add_serve(app, panel="Serve")
    add_relay(app, panel="Serve")
    app.add_typer(consumers, rich_help_panel="Serve")
    add_doctor(app, panel="Serve")
    app.add_typer(rooms, rich_help_panel="Run an evening")
    app.add_typer(sale, rich_help_panel="Run an evening")
    app.add_typer(keys, rich_help_panel="Run an evening")
    add_check(app, panel="Run an evening")
    app.add_typer(events, rich_help_panel="Run an evening")
    app.add_typer(seed, rich_help_panel="Data")
    add_data_commands(app, panel="Data")
    add_backup_commands(app, panel="Data")
    return app


def main() -> None:
    """Run the command with the arguments of this process."""
    application()(prog_name="stagedoor")


def _show_version(asked: bool) -> None:  # noqa: FBT001 -- Typer's form
    if asked:
        say(f"stagedoor {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Do nothing: the subcommands do it all."""
