"""Kinds that say where something is kept, and the kind that must never be shown."""

import re
from pathlib import Path

from stagedoor.settings.errors import UnfitError
from stagedoor.settings.setting import Kind

SECRET_BYTES_MIN = 32
SQLITE_URL = "sqlite:///"
HTTPS = "https://"

_CREDENTIALS = re.compile(r"//[^/]*@")


def folder() -> Kind:
    """Return the kind of folders; `~` is the home folder."""

    def read(raw: object) -> Path:
        return _path(raw)

    return Kind(allowed="the path of a folder", metavar="DIR", read=read)


def key_set() -> Kind:
    """Return the kind of places to read a JWK set from: a file that is there, or an https address."""

    def read(raw: object) -> str:
        if isinstance(raw, str) and raw.startswith(HTTPS) and raw != HTTPS and raw.isprintable() and " " not in raw:
            return raw
        path = _path(raw)
        if not path.is_file():
            raise UnfitError
        return str(path)

    return Kind(allowed="the path of a file that is there, or an https address", metavar="FILE|URL", read=read)


def database_url() -> Kind:
    """Return the kind of databases that can be served from. The path in the URL is taken as it is written."""
    allowed = f"{SQLITE_URL}PATH (a SQLite file: the one kind of database that this build serves from)"

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not raw.startswith(SQLITE_URL):
            raise UnfitError
        path = raw.removeprefix(SQLITE_URL)
        if path == ":memory:":
            raise UnfitError("a file, because a database in memory forgets every sale")
        if not path or path.endswith("/") or "?" in path or "#" in path:
            raise UnfitError
        _path(path)
        return raw

    def masked(raw: object) -> str:
        return '"' + _CREDENTIALS.sub("//***@", str(raw)) + '"'

    return Kind(allowed=allowed, metavar="URL", read=read, mask=masked)


def secret() -> Kind:
    """Return the kind of signing secrets: long enough, and never shown."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not raw.isprintable():
            raise UnfitError("printable text")
        if len(raw.encode()) < SECRET_BYTES_MIN:
            raise UnfitError
        return raw

    return Kind(
        allowed=f"at least {SECRET_BYTES_MIN} bytes long; `openssl rand -base64 48` makes a good one",
        metavar="SECRET",
        read=read,
        show=lambda value: f"set, {len(value.encode())} bytes",
        mask=_hidden,
    )


def _hidden(raw: object) -> str:
    return f"{len(raw.encode(errors='replace'))} bytes long" if isinstance(raw, str) else "not a text"


def _path(raw: object) -> Path:
    if not isinstance(raw, str) or not raw.strip() or not raw.isprintable():
        raise UnfitError
    try:
        return Path(raw).expanduser()
    except RuntimeError as error:
        raise UnfitError from error
