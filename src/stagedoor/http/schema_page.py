"""The API document and a page to try it on; every file of the page comes from here, and the browser is told so."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from litestar import Router, get
from litestar.params import FromPath
from litestar.types import Scope

from stagedoor.http.answer import Answer, Cache
from stagedoor.http.call import call_of
from stagedoor.http.rejections import NoSuchPath
from stagedoor.http.rendered import Rendered

_WHEEL = "offapi"
"""The package that carries Swagger UI's files; it is looked into, not imported, for importing it reads all of them."""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stagedoor API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/schema/swagger-ui/style.css">
</head>
<body>
<div id="page"></div>
<noscript><p>The API document is at <a href="/schema/openapi.json">/schema/openapi.json</a>.</p></noscript>
<script src="/schema/swagger-ui/bundle.js"></script>
<script src="/schema/swagger-ui/start.js"></script>
</body>
</html>
"""

# `validatorUrl: null` keeps the page from asking a validator elsewhere about the document.
_START = """\
SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null
});
"""

# Swagger UI writes styles into elements and draws with data: images; everything else is ours or is not loaded.
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {"bundle.js": ("swagger_bundle.js", b"text/javascript"), "style.css": ("swagger_style.css", b"text/css")}


def schema_router(document: Callable[[], dict[str, Any]]) -> Router:
    """Return the routes under `/schema`, and the way there; *document* is asked for once, when somebody looks."""

    @cache
    def rendered_document() -> Rendered:
        body = msgspec.json.encode(document())
        return Rendered(body, cache=Cache.EVERYBODY_1_H, media_type=b"application/vnd.oai.openapi+json")

    @cache
    def rendered_file(name: str) -> Rendered:
        if name == "start.js":
            return Rendered(_START.encode(), cache=Cache.EVERYBODY_1_H, media_type=b"text/javascript; charset=utf-8")
        file, media_type = _FILES[name]
        body = (_folder() / file).read_bytes()
        return Rendered(body, cache=Cache.EVERYBODY_1_H, media_type=media_type + b"; charset=utf-8")

    @get("/openapi.json")
    async def openapi_json(scope: Scope) -> Answer[Any]:
        """Answer the document."""
        return await rendered_document().answer(call_of(scope).headers)

    @get("/")
    async def schema_page(scope: Scope) -> Answer[str]:
        """Answer the page."""
        call_of(scope)
        headers = (
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-security-policy", _POLICY),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
            Cache.EVERYBODY_1_H.value,
        )
        return Answer(_PAGE.encode(), headers=headers)

    @get("/")
    async def front_page(scope: Scope) -> Answer[str]:
        """Lead whoever has typed the bare address to the page."""
        call_of(scope)
        return Answer(b"", status=307, headers=((b"location", b"/schema"), Cache.EVERYBODY_1_H.value))

    @get("/swagger-ui/{file_name:str}")
    async def schema_file(file_name: FromPath[str], scope: Scope) -> Answer[str]:
        """Answer one of the page's files."""
        if file_name not in {*_FILES, "start.js"}:
            raise NoSuchPath
        return await rendered_file(file_name).answer(call_of(scope).headers)

    return Router(
        "/", route_handlers=[front_page, Router("/schema", route_handlers=[openapi_json, schema_page, schema_file])]
    )


def _folder() -> Path:
    found = find_spec(_WHEEL)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent
