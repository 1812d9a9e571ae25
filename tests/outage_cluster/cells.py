"""The cells of the matrix: which dependency fails, how, and at which point of what is asked of it."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum

from tests.faults.proxy import Proxy
from tests.faults.sql_moments import Moment
from tests.faults.toxics import DOWN, UP, Down, Latency, Piece, ResetPeer, Slicer, Stream, Timeout, Toxic, any_piece

SLOW_MS = 300.0
DRIP_MS = 300.0
MID_REPLY_BYTES = 5


class Dependency(Enum):
    """What a cluster needs and may lose."""

    REDIS = "Redis"
    MARIADB = "MariaDB"
    POSTGRESQL = "PostgreSQL"
    KAFKA = "Kafka"

    @property
    def is_database(self) -> bool:
        """Whether it is a database, which has commits."""
        return self in {Dependency.MARIADB, Dependency.POSTGRESQL}


class Kind(Enum):
    """How it fails."""

    REFUSED = "refused"
    RESET = "reset in mid-reply"
    HANGS = "silent hang"
    SLOW = "300 ms slower"
    DRIPS = "slow drip"
    HALF = "half of the connections hang"


class Stage(Enum):
    """
    At which point it strikes.

    Of a database: anything that is asked; the reply to a commit; whatever is
    asked on a connection once a commit on it was answered. Of Redis and Kafka,
    where one command is all there is to a commit: the way there, or the reply.
    """

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One outage."""

    dependency: Dependency
    kind: Kind
    stage: Stage

    def __str__(self) -> str:
        """Name it, for people and for pytest."""
        return f"{self.dependency.value}-{self.kind.name}-{self.stage.name}".lower()

    @property
    def outage_s(self) -> float:
        """How long it lasts: until every breaker that it can open has opened, on a machine that is not too busy."""
        if self.dependency is Dependency.KAFKA or self.kind in {Kind.HANGS, Kind.HALF}:
            return 8.0
        return 6.0

    @property
    def is_total(self) -> bool:
        """Whether nothing that is asked is answered while it lasts."""
        gone = self.kind in {Kind.REFUSED, Kind.RESET, Kind.HANGS}
        return gone and (self.stage is Stage.BEFORE or not self.dependency.is_database)

    def struck(self, proxy: Proxy) -> AbstractContextManager[None]:
        """Have it happen behind *proxy* meanwhile."""
        if self.kind is Kind.REFUSED and self.stage is Stage.BEFORE:
            return _down(proxy)
        return _spoilt(proxy, self._toxic())

    def _toxic(self) -> Toxic:
        stream, only = self._where()
        match self.kind:
            case Kind.REFUSED:
                # What ends the connections is seen on the reply to a commit, or just behind it.
                return Down(stream=DOWN, only=_of(Moment.DURING), after=self.stage is Stage.AFTER)
            case Kind.RESET:
                return ResetPeer(stream=DOWN, only=only, after_bytes=MID_REPLY_BYTES)
            case Kind.HANGS:
                return Timeout(stream=stream, only=only)
            case Kind.SLOW:
                return Latency(ms=SLOW_MS, stream=DOWN, only=only)
            case Kind.DRIPS:
                return Slicer(size=1, delay_ms=DRIP_MS, stream=DOWN, only=only)
            case Kind.HALF:
                return Timeout(stream=stream, only=only, toxicity=0.5)

    def _where(self) -> tuple[Stream, Callable[[Piece], bool]]:
        stream = DOWN if self.stage is Stage.DURING else UP
        if not self.dependency.is_database or self.stage is Stage.BEFORE:
            return stream, any_piece
        return stream, _of(Moment(self.stage.value))


def _of(moment: Moment) -> Callable[[Piece], bool]:
    return lambda piece: piece.moment == moment


@contextmanager
def _down(proxy: Proxy) -> Iterator[None]:
    proxy.down()
    try:
        yield
    finally:
        proxy.up()


@contextmanager
def _spoilt(proxy: Proxy, toxic: Toxic) -> Iterator[None]:
    with proxy.toxic(toxic):
        yield
    proxy.up()


_SINGLE: Mapping[Kind, Sequence[Stage]] = {
    # Nothing is sent, so no reply can be lost.
    Kind.REFUSED: [Stage.BEFORE],
    # A reply has begun, so what was asked is done.
    Kind.RESET: [Stage.DURING],
    Kind.HANGS: [Stage.BEFORE, Stage.DURING],
    # Late is late, on the way there or back.
    Kind.SLOW: [Stage.DURING],
    Kind.DRIPS: [Stage.DURING],
    Kind.HALF: [Stage.BEFORE, Stage.DURING],
}
"""Where it means something to fail for what has no commits of its own."""


def _stages(dependency: Dependency, kind: Kind) -> Sequence[Stage]:
    return list(Stage) if dependency.is_database else _SINGLE[kind]


CELLS: Sequence[Cell] = [
    Cell(dependency=dependency, kind=kind, stage=stage)
    for dependency, kind in itertools.product(Dependency, Kind)
    for stage in _stages(dependency, kind)
]
