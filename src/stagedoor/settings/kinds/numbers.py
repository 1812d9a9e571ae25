"""Kinds that are counted: finite, in bounds, in plain decimal digits."""

import math
import re
from dataclasses import dataclass

from stagedoor.settings.errors import UnfitError
from stagedoor.settings.setting import Kind

ALLOWANCE_PER_SECOND_MIN = 0.001

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_ALLOWANCE = re.compile(r"([0-9]{1,9})\+([0-9]{1,9}(?:\.[0-9]{1,9})?)/s", re.ASCII)


def whole(least: int, most: int, what: str = "a whole number") -> Kind:
    """Return the kind of whole numbers between *least* and *most*, both allowed."""

    def read(raw: object) -> int:
        if isinstance(raw, str) and _WHOLE.fullmatch(raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
            raise UnfitError
        return raw

    return Kind(allowed=f"{what} from {least} to {most}", metavar="N", read=read)


def decimal(least: float, most: float, what: str = "a number", metavar: str = "NUMBER") -> Kind:
    """Return the kind of finite numbers, decimals allowed, between *least* and *most*, both allowed."""

    def read(raw: object) -> float:
        if isinstance(raw, str) and _DECIMAL.fullmatch(raw):
            raw = float(raw)
        if not isinstance(raw, int | float) or isinstance(raw, bool):
            raise UnfitError
        if not math.isfinite(raw) or not least <= raw <= most:
            raise UnfitError
        return float(raw)

    return Kind(
        allowed=f"{what} from {least:.12g} to {most:.12g}",
        metavar=metavar,
        read=read,
        show=lambda value: f"{value:.12g}",
    )


def seconds(least: float, most: float) -> Kind:
    """Return the kind of durations; a millisecond is the smallest that is told apart."""
    return decimal(least, most, "a number of seconds", "SECONDS")


def hours(least: float, most: float) -> Kind:
    """Return the kind of long durations."""
    return decimal(least, most, "a number of hours", "HOURS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """So many calls at once, and so many a second after that; written `60+2/s`."""

    burst: int
    per_second: float

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.burst}+{self.per_second:.12g}/s"


def allowance() -> Kind:
    """Return the kind of limits to how often somebody may call."""

    def read(raw: object) -> Allowance:
        written = _ALLOWANCE.fullmatch(raw) if isinstance(raw, str) else None
        if written is None:
            raise UnfitError
        allowed = Allowance(burst=int(written[1]), per_second=float(written[2]))
        if allowed.burst < 1 or allowed.per_second < ALLOWANCE_PER_SECOND_MIN:
            raise UnfitError
        return allowed

    return Kind(allowed="so many at once and so many a second after that, such as 60+2/s", metavar="N+N/s", read=read)
