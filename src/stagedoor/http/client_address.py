"""Where a request comes from, as far as that can be believed: only trusted proxies may speak for somebody else."""

from collections.abc import Iterable, MutableMapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NewType

ClientAddress = NewType("ClientAddress", str)
"""An IPv4 address, or the /64 network of an IPv6 one: what one household or host has."""

Network = IPv4Network | IPv6Network

UNKNOWN_ADDRESS = ClientAddress("unknown")
"""Where the server was not told an address: a Unix socket."""

HOPS_MAX = 32

_PREFIX_V6 = 64
_CACHED_ADDRESSES = 1 << 16


def client_address(scope: MutableMapping[str, Any], trusted_proxies: Sequence[Network]) -> ClientAddress:
    """
    Return the address of the client behind *scope*, an ASGI connection.

    It is the peer's, unless that is a trusted proxy: then the rightmost
    address in `X-Forwarded-For` that is not one, because each proxy appends
    whom it heard from and everything further left is hearsay. An entry that is
    no address ends the search at the proxy that passed it on.
    """
    peer = scope.get("client")
    if not peer:
        return UNKNOWN_ADDRESS
    if trusted_proxies:
        return _limited_by(_believed(peer[0], _forwarded_for(scope["headers"]), trusted_proxies))
    return _limited_by(peer[0])


@lru_cache(maxsize=_CACHED_ADDRESSES)
def is_loopback(address: ClientAddress) -> bool:
    """Whether *address* is this very machine."""
    return address != UNKNOWN_ADDRESS and ip_network(address).is_loopback


def _believed(peer: str, hops: Sequence[str], trusted_proxies: Sequence[Network]) -> str:
    heard_from = peer
    for hop in reversed(hops):
        speaker = _address(heard_from)
        if speaker is None or not any(speaker in network for network in trusted_proxies):
            return heard_from
        named = _without_port(hop)
        if _address(named) is None:
            return heard_from
        heard_from = named
    return heard_from


def _forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> Sequence[str]:
    """Return the entries of all `X-Forwarded-For` headers in order, at most the last `HOPS_MAX`."""
    joined = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    if not joined:
        return ()
    return [entry.strip() for entry in joined.decode("latin-1").rsplit(",", HOPS_MAX)[-HOPS_MAX:]]


def _without_port(entry: str) -> str:
    """Return the address of `192.0.2.1:80`, `[2001:db8::1]:80`, or the entry itself."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _limited_by(name: str) -> ClientAddress:
    address = _address(name)
    if address is None:
        return UNKNOWN_ADDRESS
    if isinstance(address, IPv4Address) or address.is_loopback:
        return ClientAddress(str(address))
    return ClientAddress(str(IPv6Network((address, _PREFIX_V6), strict=False)))
