"""MariaDB, as durable as a sale needs it: a commit that was answered is on the disk."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from scripts.services.certificates import CERTIFICATE, KEY
from scripts.services.kept import kept
from scripts.services.server import HOST, run
from scripts.services.sql_server import SqlServer

SYSTEM_TABLES = "mariadb-system-tables"


class MariaDB(SqlServer):
    """A MariaDB with one user, `stagedoor`, who may do everything, by TCP and with a password."""

    name = "mariadb"
    scheme = "mysql+asyncmy"

    @classmethod
    def missing(cls) -> str:
        """Name the first program that is not there."""
        return next((each for each in ("mariadbd", "mariadb-install-db", "mariadb") if not shutil.which(each)), "")

    def prepare(self) -> None:
        """Copy fresh system tables, and say who may come in."""
        version = run("mariadbd", "--no-defaults", "--version").split("Ver ")[1].split()[0]
        shutil.copytree(kept(f"{SYSTEM_TABLES}-{version}", install_system_tables), self.folder / "data")
        (self.folder / "tmp").mkdir()
        (self.folder / "users.sql").write_text(
            f"CREATE USER IF NOT EXISTS stagedoor@'{HOST}' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO stagedoor@'{HOST}';\n",
            encoding="utf-8",
        )

    def command(self) -> Sequence[str | Path]:
        """Return what runs it, with the defaults that Debian's and the image's configuration have."""
        return [
            *("mariadbd", "--no-defaults", "--user=root"),  # whoever is root here: nobody else can read the folder
            f"--datadir={self.folder / 'data'}",
            # A server that starts removes what it takes for its own leavings, also those of another one at work.
            f"--tmpdir={self.folder / 'tmp'}",
            f"--socket={self._socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'users.sql'}",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
            "--innodb-flush-log-at-trx-commit=1",
            "--max-connections=250",
            *(self._tls_options if self.tls else ()),
            *self.options,
        ]

    def drop_database(self, url: str) -> None:
        """Drop the database at *url*, whoever is still connected to it."""
        name = url.rpartition("/")[2]
        sessions = (row.split("\t") for row in self.ask("SHOW PROCESSLIST").splitlines())
        ends = "".join(f"KILL {session[0]};" for session in sessions if session[3] == name)
        self.ask(f"{ends}DROP DATABASE {name}")

    def ask(self, statements: str) -> str:
        """Run *statements* as root, and return the rows, a line each, columns separated by tabs."""
        return run(
            *("mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root", "--force"),
            *("--batch", "--skip-column-names"),
            script=statements,
        )

    @property
    def _tls_options(self) -> Sequence[str]:
        files = (f"--ssl-cert={self.folder / CERTIFICATE}", f"--ssl-key={self.folder / KEY}")
        return (*files, "--require-secure-transport=on")

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"


def install_system_tables(folder: Path) -> None:
    """Make the data folder of a server that has never run."""
    run(
        *("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder}"),
        *("--auth-root-authentication-method=normal", "--skip-test-db"),
    )
