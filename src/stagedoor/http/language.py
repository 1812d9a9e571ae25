"""Which language a refusal's sentence is told in; its code never changes."""

from functools import lru_cache
from typing import Literal

Language = Literal["en", "ko"]

_RANGES_MAX = 20
_KEPT_MAX = 256


@lru_cache(maxsize=_KEPT_MAX)
def preferred(accept_language: bytes | None) -> Language:
    """
    Return the language an `Accept-Language` header (RFC 9110 section 12.5.4), as it was sent, asks for most.

    English where nothing is asked for, or nothing we speak. Of two that are
    asked for alike, the one named first.
    """
    best: Language = "en"
    best_quality = 0.0
    for part in (accept_language or b"").decode("latin-1").split(",")[:_RANGES_MAX]:
        tag, _, parameters = part.partition(";")
        language = _language_of(tag)
        quality = quality_of(parameters)
        if language is not None and quality > best_quality:
            best, best_quality = language, quality
    return best


def quality_of(parameters: str) -> float:
    """Return the weight `q=...` among the *parameters* of a header's value: 1.0 if none is given, 0.0 if unreadable."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0.0 <= quality <= 1.0 else 0.0
    return 1.0


def _language_of(tag: str) -> Language | None:
    match tag.strip().lower().partition("-")[0]:
        case "ko":
            return "ko"
        case "en" | "*":
            return "en"
        case _:
            return None
