"""A house with errands enough, and what is asked of it."""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from scripts.bench.calls import API, Request
from scripts.bench.house import House, Plan, build
from scripts.bench.orders import Errand

SEATS_AN_ARENA = 20_000


class People(Protocol):
    """Those who ask: the tokens of who is inside and of who waits, who stands nowhere yet, and seats that are free."""

    @property
    def inside(self) -> Sequence[str]:
        """Tokens of those who may buy."""

    @property
    def waiting(self) -> Sequence[str]:
        """Tokens of those in line."""

    @property
    def newcomers(self) -> Sequence[int]:
        """Buyers without a place."""

    @property
    def seats(self) -> Sequence[tuple[int, int]]:
        """Performances and seats."""


def house_with(errands: int, folder: Path, *, waiting: int = 1_000) -> House:
    """Make a house in which so many buyers are inside, each with a seat to buy."""
    arenas = -(-errands // SEATS_AN_ARENA)
    return build(Plan(name="overload", inside=errands, waiting=waiting, newcomers=1_000, arenas=arenas), folder)


def errands_of(house: House) -> deque[Errand]:
    """Return an errand for each buyer inside."""
    return deque(
        Errand(token=token, performance_id=performance_id, seat_id=seat_id)
        for token, (performance_id, seat_id) in zip(house.inside, house.seats, strict=False)
    )


def request(method: str, path: str, token: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return one request as it goes over the wire."""
    fields = {"Authorization": token, **(headers or {})}
    return Request(method=method, path=f"{API}{path}", headers=fields, body=body).encode()


def polls_of(house: People) -> Sequence[bytes]:
    """Return a poll for everybody who waits."""
    return [request("POST", "/queue/token/check", token) for token in house.waiting]
