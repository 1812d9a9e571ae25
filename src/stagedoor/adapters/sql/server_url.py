"""A database server's URL in our words, and what SQLAlchemy and its driver make of it."""

import ssl
from collections.abc import Mapping
from typing import Final

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from stagedoor.adapters.tls import trusting

DRIVERS: Final[Mapping[str, str]] = {"mariadb": "mariadb+asyncmy", "postgresql": "postgresql+asyncpg"}

_SPELLINGS: Final = {"mysql": "mariadb", "postgres": "postgresql"}
_TLS: Final = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})
_MODES: Final = ("disable", "require", "verify-ca", "verify-full")


class UnfitURL(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """The URL says something that no connection can be made of, or leads to no server of ours; its text says what."""


def server_url(url: str) -> tuple[URL, ssl.SSLContext | None]:
    """
    Return *url* as SQLAlchemy wants it, and the TLS it asks for.

    `sslmode` says `disable` (unless it is said), `require` (encrypted, to
    whoever answers), `verify-ca` or `verify-full` (and its certificate names
    the host); `sslrootcert` the file of authorities to trust instead of the
    system's, `sslcert` and `sslkey` the files of our own certificate. The same
    words for both kinds of servers. Raises `UnfitURL`.
    """
    said = make_url(url)
    name = said.get_backend_name()
    name = _SPELLINGS.get(name, name)
    if name not in DRIVERS:
        raise UnfitURL(f"there is no adapter for {name}: there are {' and '.join(DRIVERS)}")
    if unknown := sorted(said.query.keys() - _TLS):
        raise UnfitURL(f"nothing is known of {', '.join(unknown)}: a URL may say {', '.join(sorted(_TLS))}")
    asked = {key: value for key, value in said.query.items() if isinstance(value, str)}
    if twice := sorted(said.query.keys() - asked.keys()):
        raise UnfitURL(f"{', '.join(twice)} is said twice")
    return said.set(drivername=DRIVERS[name], query={}), _tls(asked)


def _tls(asked: Mapping[str, str]) -> ssl.SSLContext | None:
    mode = asked.get("sslmode", "disable")
    if mode not in _MODES:
        raise UnfitURL(f"sslmode cannot be {mode}: it is one of {', '.join(_MODES)}")
    if mode == "disable":
        if stray := sorted(asked.keys() - {"sslmode"}):
            raise UnfitURL(f"{', '.join(stray)} means nothing without an sslmode that encrypts")
        return None
    if "sslkey" in asked and "sslcert" not in asked:
        raise UnfitURL("sslkey means nothing without sslcert")
    try:
        context = trusting(asked.get("sslrootcert"))
        if "sslcert" in asked:
            context.load_cert_chain(asked["sslcert"], asked.get("sslkey"))
    except OSError as error:
        raise UnfitURL(f"a certificate cannot be used: {error}") from error
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
