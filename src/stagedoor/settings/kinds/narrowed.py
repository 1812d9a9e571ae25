"""Kinds made of other kinds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stagedoor.settings.errors import UnfitError
from stagedoor.settings.setting import Kind


def optional(kind: Kind) -> Kind:
    """Return *kind*, with `none` for what is to stay unset whatever a weaker source says."""

    def read(raw: object) -> object:
        return None if raw == "none" else kind.read(raw)

    return replace(kind, allowed=f"{kind.allowed}, or none", read=read)


def checked(kind: Kind, fits: Callable[[Any], bool], allowed: str, metavar: str) -> Kind:
    """Return *kind* narrowed to the values that *fits* accepts."""

    def read(raw: object) -> object:
        value = kind.read(raw)
        if not fits(value):
            raise UnfitError
        return value

    return replace(kind, allowed=allowed, metavar=metavar, read=read)
