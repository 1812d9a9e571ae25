"""A proxy before Kafka: clients ask a broker where brokers are, so its answers have to lead to the proxy again."""

import struct
from collections.abc import Callable

from scripts.services.server import HOST
from tests.faults.proxy import Proxy
from tests.faults.toxics import Piece, Stream


class KafkaProxy(Proxy):
    """A proxy that puts its own port in the place of the broker's, wherever an answer names that."""

    def cutter(self) -> Callable[[Stream, bytes, float], list[Piece]]:
        """Return what looks at the pieces of one connection; answers that name a broker are small, and come whole."""
        there, here = address(self.upstream_port), address(self.port)
        return lambda _, data, arrived_at: [Piece(data=data.replace(there, here), arrived_at=arrived_at)]


def address(port: int) -> bytes:
    """Return how the protocol writes where a broker of this machine is: its host, and its port."""
    return HOST.encode() + struct.pack(">i", port)
