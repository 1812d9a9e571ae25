"""PostgreSQL, which runs as its own user where it is started by root: it refuses to run as root."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.services.certificates import CERTIFICATE, KEY
from scripts.services.kept import kept
from scripts.services.server import HOST, run
from scripts.services.sql_server import SqlServer

DEBIAN = Path("/usr/lib/postgresql")
HOST_RULE = re.compile(r"^host ", re.MULTILINE)
STILL_IN_USE = "pre-existing shared memory block"


class PostgreSQL(SqlServer):
    """A PostgreSQL with the role `stagedoor`, which owns its databases and comes by TCP with a password."""

    name = "postgres"
    scheme = "postgresql+asyncpg"
    owned_by = " OWNER stagedoor"
    end_signal = signal.SIGINT  # ends the sessions too; on SIGTERM it would wait for them
    user = "postgres" if os.getuid() == 0 else None

    @classmethod
    def missing(cls) -> str:
        """Name the first program that is not there."""
        return next((each for each in ("postgres", "initdb", "psql") if program(each) is None), "")

    def prepare(self) -> None:
        """Copy a fresh cluster."""
        version = run(found("postgres"), "--version").split()[2]
        shutil.copytree(kept(f"postgres-cluster-{version}", init_cluster), self.folder / "data")
        if self.tls:
            rules = self.folder / "data" / "pg_hba.conf"
            written = rules.read_text(encoding="utf-8")
            rules.write_text(HOST_RULE.sub("hostssl ", written), encoding="utf-8")

    def settle(self) -> None:
        """Make the role."""
        self.ask(f"CREATE ROLE stagedoor LOGIN CREATEDB PASSWORD '{self.password}'")

    def command(self) -> Sequence[str | Path]:
        """Return what runs it."""
        settings: dict[str, object] = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": self.folder,
            "synchronous_commit": "on",
            "max_connections": 250,
        }
        if self.tls:
            settings |= {"ssl": "on", "ssl_cert_file": self.folder / CERTIFICATE, "ssl_key_file": self.folder / KEY}
        said = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [found("postgres"), "-D", self.folder / "data", *said, *self.options]

    def start(self) -> None:
        """Start it, where need be again until the last of those who served the killed one has noticed its end."""
        said = 0
        while True:
            try:
                return super().start()
            except ChildProcessError:
                if STILL_IN_USE not in self.log[said:]:
                    raise
                said = len(self.log)

    def drop_database(self, url: str) -> None:
        """Drop the database at *url*, whoever is still connected to it."""
        self.ask(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def ask(self, statements: str) -> str:
        """Run *statements*, each by itself, as superuser, and return the rows, a line each, columns separated by |."""
        return run(
            *(found("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"),
            *("-h", self.folder, "-p", str(self.port), "-U", "postgres", "-d", "postgres"),
            script=statements,
        )


def init_cluster(folder: Path) -> None:
    """Make the data folder of a server that has never run; who comes by its socket is trusted."""
    with tempfile.TemporaryDirectory(prefix="stagedoor-initdb-") as name:  # where PostgreSQL's user may write
        place = Path(name)
        if PostgreSQL.user:
            shutil.chown(place, PostgreSQL.user, PostgreSQL.user)
        run(
            *(found("initdb"), "-D", place / "data", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"),
            *("--auth-local=trust", "--auth-host=scram-sha-256"),
            user=PostgreSQL.user,
            cwd=place,
        )
        shutil.copytree(place / "data", folder, dirs_exist_ok=True)


def found(name: str) -> Path:
    """Return where the program called *name* is."""
    path = program(name)
    assert path is not None, f"there is no {name}"
    return path


def program(name: str) -> Path | None:
    """Look for the program called *name* on the PATH, and then where Debian keeps the newest version's."""
    if on_path := shutil.which(name):
        return Path(on_path)
    versions = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return versions[-1] if versions else None
