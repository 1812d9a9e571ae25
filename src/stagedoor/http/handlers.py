"""Which call a request is for, known from its method and path before the framework is asked."""

import re
from collections.abc import Iterable

from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute


class Handlers:
    """The handlers of every path."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Learn the *routes*."""
        self._known: dict[tuple[str, str], HTTPRouteHandler] = {}
        self._patterns: list[tuple[str, re.Pattern[str], HTTPRouteHandler]] = []
        for route in routes:
            if isinstance(route, HTTPRoute):
                for handler in route.route_handlers:
                    self._learn(route, handler)

    def of(self, method: str, path: str) -> HTTPRouteHandler | None:
        """Return what answers the request, None where nothing does; a slash at the end of *path* changes nothing."""
        path = path.rstrip("/") or "/"
        known = self._known.get((method, path))
        if known is not None:
            return known
        return next(
            (found for verb, pattern, found in self._patterns if verb == method and pattern.fullmatch(path)), None
        )

    def _learn(self, route: HTTPRoute, handler: HTTPRouteHandler) -> None:
        for method in handler.http_methods:
            if "{" in route.path_format:
                pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", route.path_format))
                self._patterns.append((method, pattern, handler))
            else:
                self._known[method, route.path_format] = handler
