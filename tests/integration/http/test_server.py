"""The listening socket: a free port, a taken one, an address this machine does not have."""

import socket

import pytest

from stagedoor.http.server import AddressInUse, base_url, listen


def test_port_0_is_any_free_one_and_the_url_says_which() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]

        assert base_url(listener) == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


def test_an_ipv6_address_stands_in_brackets() -> None:
    with listen("::1", 0) as listener:
        assert base_url(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_a_taken_port_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(AddressInUse, match=f"127.0.0.1:{port}"):
            listen("127.0.0.1", port)


def test_a_foreign_address_is_the_machines_own_error() -> None:
    with pytest.raises(OSError, match="assign"):
        listen("192.0.2.1", 0)
