"""What wrk calls: whole requests made beforehand, and what every answer has to be."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scripts.bench.cores import Cores
from scripts.bench.floor import QUESTION, answer
from scripts.bench.paced import Ask
from scripts.bench.served import Served
from scripts.bench.wrk import Round, run_wrk

HERE = Path(__file__).parent
API = "/v1/api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def encode(self) -> bytes:
        """Return it as it goes over the wire."""
        fields = {"Host": "127.0.0.1", **self.headers}
        if self.body:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n".encode() + self.body


@dataclass(slots=True, kw_only=True)
class InTurn:
    """
    Sends *requests* one after another, over and over, and looks at every answer.

    Each has to be 200 and *right*: the *whole* body, or a part of it. A round goes on where the last one stopped. What
    a server *beside* it does unasked meanwhile is not its fault.
    """

    name: str
    server: Served
    cores: Cores
    requests: Path
    right: Path
    whole: bool
    beside: Served | None = None
    next: int = 0
    answered: int = 0

    def round(self, seconds: int) -> Round:
        """Send for so long."""
        arguments = self.requests, self.next, self.right, "whole" if self.whole else "part"
        used_ns = self.beside.cpu_ns() if self.beside else 0
        came = measured(self.server, [HERE / "in_turn.lua", *arguments], seconds=seconds, cores=self.cores)
        if self.beside:
            came = msgspec.structs.replace(came, lent_ns=self.beside.cpu_ns() - used_ns)
        self.next += came.taken
        self.answered += came.answered
        return came

    def asks(self) -> Iterator[Ask]:
        """Go on where the last round stopped, one call at a time."""
        right = self.right.read_bytes()
        requests = self.requests.read_bytes().split(b"\0")[:-1]
        while True:
            yield Ask(self.name, requests[self.next % len(requests)], right)
            self.next += 1


def in_turn(  # noqa: PLR0913 -- what a call is made of
    name: str,
    requests: Iterable[Request],
    *,
    right: bytes,
    whole: bool,
    server: Served,
    cores: Cores,
    folder: Path,
) -> InTurn:
    """Write down *requests* and what is *right*, and return the call."""
    written, expected = folder / f"{name}.requests", folder / f"{name}.right"
    written.write_bytes(b"".join(request.encode() + b"\0" for request in requests))
    expected.write_bytes(right)
    return InTurn(name=name, server=server, cores=cores, requests=written, right=expected, whole=whole)


def floor_of(size: int, *, server: Served, cores: Cores, folder: Path, beside: Served | None = None) -> InTurn:
    """Return the floor, answering with *size* bytes, while another server is *beside* it on its core."""
    asked = [Request(method="POST", path=f"/{size}", headers={}, body=QUESTION)]
    call = in_turn("floor", asked, right=answer(size), whole=True, server=server, cores=cores, folder=folder)
    call.beside = beside
    return call


def measured(server: Served, script: Sequence[Path | str | int], *, seconds: int, cores: Cores) -> Round:
    """Run a round against *server* and add what processor time it took, and the engines."""
    before, engines_before = server.cpu_ns(), server.engines_cpu_ns()
    came = run_wrk([*map(str, script)], port=server.port, seconds=seconds, cores=cores, connections=server.connections)
    return msgspec.structs.replace(
        came, cpu_ns=server.cpu_ns() - before, engines_ns=server.engines_cpu_ns() - engines_before
    )
