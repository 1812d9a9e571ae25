"""
What a client wrote down: each request before it was sent, each answer before the next request.

A file has one line an entry and is written without a buffer, so it is whole whenever it is read up to its last line.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from tests.e2e.harness.answers import Answer


class Asked(msgspec.Struct, tag="asked", frozen=True, kw_only=True):
    """A request that is about to be sent; *number* is the place it speaks for, 0 for none."""

    serial: int
    method: str
    path: str
    body: Any
    buyer_id: int
    room_id: str
    number: int
    key: str | None
    sent_at: int


class Told(msgspec.Struct, tag="told", frozen=True, kw_only=True):
    """Its answer: *data* if it was granted, or else the refusal's *code*."""

    serial: int
    status: int
    code: str | None
    data: Any
    replayed: bool
    answered_at: int

    @property
    def ok(self) -> bool:
        """Whether the request was granted."""
        return self.status == 200

    @property
    def says_nothing(self) -> bool:
        """Whether it leaves open what became of the request: a failure on the way, or a repeat that waited too long."""
        return self.status >= 500 or (self.code == "409" and self.data == STILL_RUNNING)


class Lost(msgspec.Struct, tag="lost", frozen=True, kw_only=True):
    """The connection ended, and no answer had come."""

    serial: int


STILL_RUNNING = "still running"
"""What stands for *data* in a refusal that asks to come back later."""


def told_by(serial: int, answer: Answer) -> Told:
    """Return what is written down of *answer*."""
    still_running = not answer.ok and answer.code == "409" and "retry-after" in answer.headers
    return Told(
        serial=serial,
        status=answer.status,
        code=answer.code,
        data=answer.document["data"] if answer.ok else STILL_RUNNING if still_running else None,
        replayed=answer.replayed,
        answered_at=answer.answered_at,
    )


Entry = Asked | Told | Lost

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


class RecordFile:
    """A client's own file."""

    def __init__(self, path: Path) -> None:
        """Begin the file at *path*."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, entry: Entry) -> None:
        """Write *entry* down; it has left this process when the call returns."""
        os.write(self._descriptor, _encode(entry) + b"\n")


class RecordReader:
    """Reads what a file has got since it was last read."""

    def __init__(self, path: Path) -> None:
        """Read the file at *path*, which need not be there yet."""
        self._path = path
        self._offset = 0

    def read(self) -> list[Entry]:
        """Return the new entries."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [_decode(line) for line in whole.splitlines()]
