"""HTTP servers that do what a test asks of them: answer, keep one waiting, or die after having read."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from stagedoor.http.newcomers import turn_newcomers_away

HOST = "127.0.0.1"


@dataclass
class Upstream:
    """A server that notes each request, and answers with its own name unless its path says otherwise."""

    name: str
    requests: list[str] = field(default_factory=list)
    accepted: list[socket.socket] = field(default_factory=list)
    port: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    listener: socket.socket = field(init=False)

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self.accepted)

    def listen(self) -> None:
        """Accept connections: on a free port, or on its own again."""
        self.listener = socket.create_server((HOST, self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End all connections, and refuse new ones from now on."""
        for each in (self.listener, *self.accepted):
            with suppress(OSError):  # closed before
                each.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def fall_silent(self) -> None:
        """Leave new connections without any answer from now on, as a host does that is gone."""
        turn_newcomers_away(self.listener)

    def _accept(self) -> None:
        listener = self.listener
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.accepted.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            while line := lines.readline().decode():
                length = 0
                while (header := lines.readline().decode().strip().lower()) != "":
                    length = int(header.removeprefix("content-length:")) if "content-length" in header else length
                lines.read(length)
                method, path, _ = line.split()
                self.requests.append(f"{method} {path}")
                if path == "/dies":
                    return
                if path == "/waits":
                    self.go_on.wait()
                body = self.name.encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@contextmanager
def upstreams(*names: str) -> Iterator[list[Upstream]]:
    """Have servers of these *names*."""
    servers = [Upstream(name) for name in names]
    for server in servers:
        server.listen()
    try:
        yield servers
    finally:
        for server in servers:
            server.go_on.set()
            server.close()
