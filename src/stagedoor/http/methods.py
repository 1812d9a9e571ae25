"""Which methods a path knows, for `OPTIONS` and the `Allow` header; HEAD is answered wherever GET is."""

import re
from collections.abc import Iterable

from litestar.routes import BaseRoute, HTTPRoute


class Methods:
    """
    The methods of every path.

    Litestar answers OPTIONS too, but of a path that several handlers share it
    lists only the methods of the first.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Learn the *routes*."""
        self._known = [
            (re.compile(re.sub(r"\{[^}]*\}", "[^/]+", route.path_format)), listed(route.methods))
            for route in routes
            if isinstance(route, HTTPRoute)
        ]

    def of(self, path: str) -> str | None:
        """Return the methods as an `Allow` header lists them, None for a path that leads nowhere."""
        path = path.rstrip("/") or "/"
        return next((methods for pattern, methods in self._known if pattern.fullmatch(path)), None)


def listed(methods: Iterable[str]) -> str:
    """Return *methods* as an `Allow` header lists them."""
    known = {str(method) for method in methods} - {""}
    if "GET" in known:
        known.add("HEAD")
    return ", ".join(sorted(known))
