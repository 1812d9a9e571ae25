"""Kinds that place things in time: instants and the zones they are read in."""

import re
import zoneinfo
from datetime import UTC, datetime

from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.settings.errors import UnfitError
from stagedoor.settings.setting import Kind

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def instant() -> Kind:
    """Return the kind of instants: RFC 3339, where the offset is what makes it one instant."""

    def read(raw: object) -> Instant:
        if isinstance(raw, str) and _RFC_3339.fullmatch(raw):
            try:
                raw = datetime.fromisoformat(raw.upper())
            except ValueError as error:
                raise UnfitError from error
        if not isinstance(raw, datetime) or raw.tzinfo is None:
            raise UnfitError
        return Instant(round(raw.timestamp() * SECOND_MS))

    return Kind(
        allowed="a date and time with its offset from UTC, such as 2027-01-09T20:00:00+09:00",
        metavar="INSTANT",
        read=read,
        show=lambda at: datetime.fromtimestamp(at / SECOND_MS, UTC).isoformat().replace("+00:00", "Z"),
    )


def time_zone() -> Kind:
    """Return the kind of IANA time zone names."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not raw:
            raise UnfitError
        try:
            zoneinfo.ZoneInfo(raw)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise UnfitError from error
        return raw

    return Kind(allowed="the name of a time zone, such as Asia/Seoul", metavar="ZONE", read=read)
