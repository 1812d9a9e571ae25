"""Kinds that say where something is kept, and the kind that must never be shown."""

from pathlib import Path

from stagedoor.settings.errors import UnfitError
from stagedoor.settings.setting import Kind

SECRET_BYTES_MIN = 32
HTTPS = "https://"


def folder() -> Kind:
    """Return the kind of folders; `~` is the home folder."""

    def read(raw: object) -> Path:
        return path_of(raw)

    return Kind(allowed="the path of a folder", metavar="DIR", read=read)


def file() -> Kind:
    """Return the kind of files that are there."""

    def read(raw: object) -> Path:
        path = path_of(raw)
        if not path.is_file():
            raise UnfitError
        return path

    return Kind(allowed="the path of a file that is there", metavar="FILE", read=read)


def key_set() -> Kind:
    """Return the kind of places to read a JWK set from: a file that is there, or an https address."""

    def read(raw: object) -> str:
        if isinstance(raw, str) and raw.startswith(HTTPS) and raw != HTTPS and raw.isprintable() and " " not in raw:
            return raw
        path = path_of(raw)
        if not path.is_file():
            raise UnfitError
        return str(path)

    return Kind(allowed="the path of a file that is there, or an https address", metavar="FILE|URL", read=read)


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
        hides=True,
    )


def password() -> Kind:
    """Return the kind of passwords that somebody else has chosen: of any length, and never shown."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not raw or not raw.isprintable():
            raise UnfitError
        return raw

    return Kind(allowed="printable text", metavar="PASSWORD", read=read, show=lambda _: "set", mask=_hidden, hides=True)


def _hidden(raw: object) -> str:
    return f"{len(raw.encode(errors='replace'))} bytes long" if isinstance(raw, str) else "not a text"


def path_of(raw: object) -> Path:
    """Return the path that *raw* is; `~` is the home folder. Raises `UnfitError`."""
    if not isinstance(raw, str) or not raw.strip() or not raw.isprintable():
        raise UnfitError
    try:
        return Path(raw).expanduser()
    except RuntimeError as error:
        raise UnfitError from error
