"""Kinds that say where a server is reached. What it asks for as a password may stand in them, and is never shown."""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from stagedoor.settings.errors import UnfitError
from stagedoor.settings.kinds.places import path_of
from stagedoor.settings.setting import Kind

SQLITE_URL = "sqlite:///"
DATABASE_SERVERS = ("mariadb", "postgresql")
REDIS_SCHEMES = ("redis", "rediss")

_CREDENTIALS = re.compile(r"//.*@", re.DOTALL)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\],]+):(\d{1,5})")
_PORT_MAX = 65_535


def database_url() -> Kind:
    """Return the kind of databases: a SQLite file, whose path is taken as it is written, or a server's database."""
    servers = " or ".join(f"{scheme}://USER:PASSWORD@HOST:PORT/DATABASE" for scheme in DATABASE_SERVERS)

    def read(raw: object) -> str:
        if isinstance(raw, str) and raw.startswith(SQLITE_URL):
            _check_file(raw.removeprefix(SQLITE_URL))
            return raw
        parts = _server(raw, DATABASE_SERVERS)
        if not parts.path.removeprefix("/") or "/" in parts.path.removeprefix("/"):
            raise UnfitError
        return parts.geturl()

    return Kind(
        allowed=f"{SQLITE_URL}PATH (a SQLite file), {servers}",
        metavar="URL",
        read=read,
        show=without_credentials,
        mask=_masked,
        hides=True,
    )


def redis_url() -> Kind:
    """Return the kind of Redis servers."""

    def read(raw: object) -> str:
        parts = _server(raw, REDIS_SCHEMES)
        if not re.fullmatch(r"/?\d{0,4}", parts.path):
            raise UnfitError
        return parts.geturl()

    return Kind(
        allowed="redis://USER:PASSWORD@HOST:PORT/NUMBER, or rediss:// for TLS",
        metavar="URL",
        read=read,
        show=without_credentials,
        mask=_masked,
        hides=True,
    )


def brokers() -> Kind:
    """Return the kind of lists of brokers to begin with."""

    def read(raw: object) -> tuple[str, ...]:
        named = [each.strip() for each in raw.split(",")] if isinstance(raw, str) else raw
        if not isinstance(named, list) or not named or not all(isinstance(each, str) for each in named):
            raise UnfitError
        for each in named:
            found = _HOST.fullmatch(each)
            if found is None or not 0 < int(found[2]) <= _PORT_MAX:
                raise UnfitError
        return tuple(named)

    return Kind(
        allowed="a list, separated by commas, of HOST:PORT",
        metavar="BROKERS",
        read=read,
        show=", ".join,
        mask=_masked,
    )


def without_credentials(url: str) -> str:
    """Return *url* as people may read it: without who asks, and the password."""
    return _CREDENTIALS.sub("//***@", url)


def has_password(url: str) -> bool:
    """Tell whether there is a password in *url*."""
    return urlsplit(url).password is not None


def _check_file(path: str) -> None:
    if path == ":memory:":
        raise UnfitError("a file, because a database in memory forgets every sale")
    if not path or path.endswith("/") or "?" in path or "#" in path:
        raise UnfitError
    path_of(path)


def _server(raw: object, schemes: Sequence[str]) -> SplitResult:
    if not isinstance(raw, str) or not raw.isprintable() or " " in raw:
        raise UnfitError
    try:
        parts = urlsplit(raw)
        fits = parts.scheme in schemes and parts.hostname and parts.port != 0 and not parts.fragment
        asked = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError as error:
        raise UnfitError from error
    # A password that has an "@", a "/" or a "#" in it as it is would cut the address in two at the wrong place.
    if not fits or "@" in parts.path or "@" in (parts.username or "") or "@" in unquote(parts.hostname or ""):
        raise UnfitError
    if any("pass" in name.lower() or name.lower() == "user" for name, _ in asked):
        raise UnfitError("an address with user and password before its @, where they are never shown")
    return parts


def _masked(raw: object) -> str:
    return '"' + without_credentials(str(raw)) + '"'
