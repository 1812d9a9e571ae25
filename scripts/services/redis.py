"""Redis, without persistence unless an option says otherwise: what the line needs of it, SQL can give back."""

import secrets
import shutil
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from scripts.services.certificates import AUTHORITY, CERTIFICATE, KEY
from scripts.services.server import HOST, Server

ANSWER_SECONDS_MAX = 5.0


class Redis(Server):
    """A Redis with a password."""

    name = "redis"

    def __init__(self, *options: str, tls: bool = False) -> None:
        """Take more *options* of `redis-server`, and refuse who does not encrypt if it is to be *tls*."""
        super().__init__(*options, tls=tls)
        self.password = secrets.token_urlsafe(12)

    @classmethod
    def missing(cls) -> str:
        """Name the program if it is not there."""
        return "" if shutil.which("redis-server") else "redis-server"

    def prepare(self) -> None:
        """Write who may come in, where no list of processes shows it."""
        (self.folder / "redis.conf").write_text(f'requirepass {self.password}\nsave ""\n', encoding="utf-8")

    def command(self) -> Sequence[str | Path]:
        """Return what runs it."""
        fixed = ("--bind", HOST, "--dir", str(self.folder), "--daemonize", "no")
        port: tuple[str, ...] = ("--port", str(self.port))
        if self.tls:
            files = ("cert-file", CERTIFICATE), ("key-file", KEY), ("ca-cert-file", AUTHORITY)
            port = ("--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no")
            port += tuple(word for name, file in files for word in (f"--tls-{name}", str(self.folder / file)))
        return ["redis-server", self.folder / "redis.conf", *fixed, *port, *self.options]

    def answers(self) -> bool:
        """Tell whether it says PONG, which it does not while it loads its data."""
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False

    @property
    def url(self) -> str:
        """Its URL, with database 0."""
        return f"{'rediss' if self.tls else 'redis'}://:{self.password}@{HOST}:{self.port}/0"

    def empty(self) -> None:
        """Forget all keys and all scripts."""
        for command in ("FLUSHALL SYNC", "SCRIPT FLUSH SYNC"):
            answer = self.ask(command)
            assert answer == "+OK", answer

    def ask(self, command: str) -> str:
        """Send a *command* of words without spaces, and return the first line of its reply."""
        with (
            socket.create_connection((HOST, self.port), ANSWER_SECONDS_MAX) as plain,
            self._secured(plain) as connection,
            connection.makefile("r", encoding="utf-8", newline="\r\n") as replies,
        ):
            connection.sendall(f"AUTH {self.password}\r\n{command}\r\n".encode())
            replies.readline()
            return replies.readline().rstrip("\r\n")

    def _secured(self, plain: socket.socket) -> socket.socket:
        if not self.tls:
            return plain
        return ssl.create_default_context(cafile=str(self.authority)).wrap_socket(plain, server_hostname=HOST)
