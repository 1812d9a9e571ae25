"""Kinds that are written: words to choose from, lines of text, lists."""

import ipaddress
from collections.abc import Iterable
from enum import StrEnum

from stagedoor.settings.errors import UnfitError
from stagedoor.settings.kinds.narrowed import checked
from stagedoor.settings.setting import Kind

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_YES_NO = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


def yes_no() -> Kind:
    """Return the kind of switches."""

    def read(raw: object) -> bool:
        answer = _YES_NO.get(raw.lower()) if isinstance(raw, str) else raw
        if not isinstance(answer, bool):
            raise UnfitError
        return answer

    return Kind(
        allowed="true or false", metavar="true|false", read=read, show=lambda value: "true" if value else "false"
    )


def text(allowed: str, longest: int = 500) -> Kind:
    """Return the kind of one line of printable text without blanks around it."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not raw or raw != raw.strip() or not raw.isprintable() or len(raw) > longest:
            raise UnfitError
        return raw

    return Kind(allowed=allowed, metavar="TEXT", read=read)


def address() -> Kind:
    """Return the kind of addresses to listen on; whether this machine has it shows when it is listened on."""
    return checked(
        text("any"), lambda value: " " not in value and "/" not in value, "a host name or an IP address", "HOST"
    )


def choice(*words: str) -> Kind:
    """Return the kind of one of *words*."""

    def read(raw: object) -> str:
        if raw not in words:
            raise UnfitError
        return str(raw)

    return Kind(allowed=_any_of(words), metavar="WORD", read=read)


def as_enum(words: type[StrEnum]) -> Kind:
    """Return the kind of one member of *words*."""
    one = choice(*words)
    return Kind(allowed=one.allowed, metavar=one.metavar, read=lambda raw: words(one.read(raw)))


def several(*words: str) -> Kind:
    """Return the kind of a list of some of *words*: an array in the file, commas elsewhere."""

    def read(raw: object) -> tuple[str, ...]:
        chosen = tuple(_listed(raw))
        if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(words):
            raise UnfitError
        return chosen

    return Kind(allowed=f"a list, separated by commas, of {_any_of(words)}", metavar="NAMES", read=read, show=_joined)


def networks() -> Kind:
    """Return the kind of lists of IP addresses and networks."""

    def read(raw: object) -> tuple[IPNetwork, ...]:
        try:
            return tuple(ipaddress.ip_network(member) for member in _listed(raw))
        except ValueError as error:
            raise UnfitError from error

    return Kind(
        allowed="a list, separated by commas, of IP addresses or networks such as 10.0.0.0/8",
        metavar="NETWORKS",
        read=read,
        show=_joined,
    )


def _listed(raw: object) -> list[str]:
    if isinstance(raw, str):
        return [member.strip() for member in raw.split(",")] if raw.strip() else []
    if isinstance(raw, list) and all(isinstance(member, str) for member in raw):
        return raw
    raise UnfitError


def _joined(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "none"


def _any_of(words: tuple[str, ...]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
