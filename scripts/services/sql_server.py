"""What the database servers of the tests have in common: databases to hand out, and a superuser to ask."""

import itertools
import secrets
from abc import abstractmethod
from typing import ClassVar

from scripts.services.server import HOST, Server


class SqlServer(Server):
    """A database server with a user `stagedoor`, who comes by TCP and with a password."""

    scheme: ClassVar[str]
    owned_by: ClassVar[str] = ""
    """What has to be said behind CREATE DATABASE for the database to be that user's."""

    def __init__(self, *options: str, tls: bool = False) -> None:
        """Take more *options* of the server's own, and refuse who does not encrypt if it is to be *tls*."""
        super().__init__(*options, tls=tls)
        self.password = secrets.token_urlsafe(12)
        self._numbers = itertools.count(1)

    @abstractmethod
    def ask(self, statements: str) -> str:
        """Run *statements* as superuser and return the rows, a line each."""

    def answers(self) -> bool:
        """Let it answer a query."""
        try:
            return self.ask("SELECT 1") == "1\n"
        except ChildProcessError:
            return False

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the server, without a database."""
        return f"{self.scheme}://stagedoor:{self.password}@{HOST}:{self.port}/"

    def new_database(self, name: str = "") -> str:
        """Make an empty database, called *name* or as none was called before, and return its URL."""
        name = name or f"stagedoor_{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name}{self.owned_by}")
        return self.url + name
