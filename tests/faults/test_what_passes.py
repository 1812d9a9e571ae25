"""The proxies that look at what passes see what their servers' drivers send."""

import struct

import pytest

from tests.faults.kafka_addresses import KafkaProxy
from tests.faults.sql_moments import Moment, SqlProxy
from tests.faults.toxics import DOWN, UP

MARIADB = {
    "commit": b"\x07\x00\x00\x00\x03COMMIT",
    "query": b"\x09\x00\x00\x00\x03SELECT 1",
    "reply": b"\x07\x00\x00\x01",
}
POSTGRESQL = {"commit": b"Q\x00\x00\x00\x0cCOMMIT;\x00", "query": b"Q\x00\x00\x00\x0eSELECT 1;\x00", "reply": b"C..Z"}


@pytest.mark.parametrize(("says", "commits"), [(MARIADB, 2), (POSTGRESQL, 1)], ids=["mariadb", "postgresql"])
def test_a_connection_is_told_apart_by_its_commits(says: dict[str, bytes], commits: int) -> None:
    with SqlProxy(9) as proxy:
        cut = proxy.cutter()

        def moment_of(word: str) -> str:
            [piece] = cut(DOWN if word == "reply" else UP, says[word], 0.0)
            assert piece.data == says[word]
            return piece.moment

        made_ready = [*("query", "reply"), *("commit", "reply") * commits, *("query", "reply")]
        assert {moment_of(word) for word in made_ready} == {Moment.BEFORE}
        assert [moment_of(word) for word in ("commit", "reply")] == [Moment.DURING] * 2
        assert [moment_of(word) for word in ("query", "reply")] == [Moment.AFTER] * 2
        assert [moment_of(word) for word in ("commit", "reply")] == [Moment.DURING] * 2
        assert proxy.commits == 2


def test_a_broker_is_told_of_at_the_port_of_the_proxy() -> None:
    told = b"\x00\x09127.0.0.1" + struct.pack(">i", 9_092) + b"rest"

    with KafkaProxy(9_092) as proxy:
        [piece] = proxy.cutter()(DOWN, told, 0.0)

    assert piece.data == b"\x00\x09127.0.0.1" + struct.pack(">i", proxy.port) + b"rest"
