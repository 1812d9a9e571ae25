"""`stagedoor serve`: serves until it is stopped, and says where everything is."""

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from stagedoor import __version__, bootstrap
from stagedoor.cli.options import SETTING_FLAGS, Flags, command, settings_of
from stagedoor.cli.sentences import Refused, say
from stagedoor.http.server import AddressInUse
from stagedoor.settings import Identity, Settings
from stagedoor.settings.secret_file import SECRET_FILE

API_PAGE = "/schema"

_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EACCES, errno.EAFNOSUPPORT}


def add_serve(app: typer.Typer, *, panel: str) -> None:
    """Give *app* the command of this file."""
    command(
        app,
        "serve",
        panel=panel,
        flags=SETTING_FLAGS,
        epilog="Examples: `stagedoor serve --demo`\n\n`stagedoor serve --port 9000 --max-active 200`\n\n"
        "`STAGEDOOR_DATABASE_URL=sqlite:////srv/night/stagedoor.db stagedoor serve`",
    )(serve)


def serve(
    flags: Flags,
    *,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="Make the demo data if the database has no members; move its dates when they are over."
        ),
    ] = False,
) -> None:
    """Run the server until Ctrl-C or SIGTERM; what was answered by then is stored."""
    settings = settings_of(flags, demo=demo)

    def announce(base_url: str) -> None:
        # A server is none the worse for being started by somebody who does not listen.
        with contextlib.suppress(OSError, ValueError):
            for line in introduction(settings, base_url):
                say(line)

    try:
        code = bootstrap.serve(settings, demo=demo, announce=announce)
    except AddressInUse as error:
        raise Refused(
            f"{error} is taken by something else: stop that, or choose another port with --port (0 picks a free one)"
        ) from error
    except OSError as error:
        if error.filename is None and (isinstance(error, socket.gaierror) or error.errno in _NO_SUCH_ADDRESS):
            raise Refused(f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}") from error
        raise
    _leave_unsaid()
    raise typer.Exit(code)


def _leave_unsaid() -> None:
    """Have nothing left to say where nobody can hear it: Python would take that for a failure of the process."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def introduction(settings: Settings, base_url: str) -> Iterator[str]:
    """Say what is served from where, and whom it believes; nothing of it before there is a server."""
    yield f"Stagedoor {__version__}"
    yield f"Data: {settings.database_shown}"
    if settings.secret is None:
        yield f"Secret: generated, kept in {settings.data_dir.absolute() / SECRET_FILE}"
    if settings.identity is Identity.DEMO:
        yield "Identity: DEMO! Whoever sends a userId is believed to be that member. Not for a real sale."
        if settings.is_public:
            yield f"And other machines can reach {settings.host}: anybody there can be anybody here."
    yield f"API page: {base_url}{API_PAGE}"
    yield f"Stagedoor is ready on {base_url}"
