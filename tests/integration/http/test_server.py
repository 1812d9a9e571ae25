"""The listening socket: a free port, a taken one, an address this machine does not have."""

import socket
from typing import cast

import pytest

from stagedoor.http.server import AddressInUse, base_url, listen


def test_port_0_is_any_free_one_and_the_url_says_which() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]

        assert base_url(listener) == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


class Ipv6Listener:
    """Listens on an address that not every machine has, and containers seldom do."""

    family = socket.AF_INET6

    def getsockname(self) -> tuple[str, int, int, int]:
        return "::1", 8_080, 0, 0


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert base_url(cast("socket.socket", Ipv6Listener())) == "http://[::1]:8080"


def test_a_taken_port_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(AddressInUse, match=f"127.0.0.1:{port}"):
            listen("127.0.0.1", port)


def test_a_foreign_address_is_the_machines_own_error() -> None:
    with pytest.raises(OSError, match="assign"):
        listen("192.0.2.1", 0)
