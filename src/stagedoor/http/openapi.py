"""
The API document, OpenAPI 3.1, drawn from the handlers themselves.

A call's body and `data` are the types of its signature, and msgspec, which
checks requests by them, also writes their schemas. Litestar's own generator is
not used because it leaves out the limits of list items and knows neither our
envelope nor our refusals.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from stagedoor import __version__
from stagedoor.http.contract import Entry, Field, Needs, entry_of
from stagedoor.http.openapi_parts import (
    DESCRIPTION,
    HEADERS,
    NOTHING,
    PARAMETERS,
    SECURITY,
    SECURITY_SCHEMES,
    STALE,
    TAGS,
    TEXT,
    Json,
)
from stagedoor.http.problems import (
    DEFECT,
    KEY_REUSED,
    NO_KEY,
    NOBODY,
    NOT_JSON,
    RUNNING,
    TOO_LARGE,
    TOO_MANY,
    TOO_MANY_KEYS,
    UNAVAILABLE,
    UNREADABLE,
    Refusal,
)
from stagedoor.http.wire import Failure

_COME_BACK = {TOO_MANY.status, UNAVAILABLE.status, RUNNING.status}

_Found = tuple[str, str, HTTPRouteHandler, Entry]


def api_document(routes: Iterable[BaseRoute]) -> Json:
    """Return the document for every handler in *routes* that carries an entry."""
    found = sorted(_entries(routes), key=lambda item: item[:2])
    schemas = _Schemas(found)
    paths: dict[str, Json] = {}
    for path, method, handler, entry in found:
        paths.setdefault(path, {})[method] = _operation(path, handler, entry, schemas)
    tags = {entry.tag for *_, entry in found}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Stagedoor",
            "version": __version__,
            "summary": "An on-sale engine.",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in tags],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": SECURITY_SCHEMES,
            "headers": HEADERS,
            "parameters": PARAMETERS,
        },
    }


def refusals_of(handler: HTTPRouteHandler, entry: Entry) -> list[Refusal]:
    """Return every way in which the call can be refused, ordered by status."""
    # A `Host` header that is none is refused before any path is looked at.
    told = [UNREADABLE, TOO_LARGE, DEFECT, *entry.refusals]
    if body_type(handler) is not None:
        told.append(NOT_JSON)
    if entry.needs is not Needs.NOTHING:
        told.append(NO_KEY if entry.tag == "ops" else NOBODY)
    if entry.repeatable:
        told += [KEY_REUSED, RUNNING, TOO_MANY_KEYS]
    if entry.tag != "process":
        told.append(UNAVAILABLE)
    return sorted(dict.fromkeys(told), key=lambda refusal: (refusal.status, refusal.code))


def body_type(handler: HTTPRouteHandler) -> type[msgspec.Struct] | None:
    """Return the type of a handler's body, None if it takes none."""
    body: type[msgspec.Struct] | None = get_type_hints(handler.fn).get("data")
    return body


def data_type(handler: HTTPRouteHandler) -> object:
    """Return what a handler's `Answer[...]` is of."""
    kind: object
    [kind] = get_args(get_type_hints(handler.fn, include_extras=True)["return"])
    return kind


def _entries(routes: Iterable[BaseRoute]) -> Iterator[_Found]:
    for route in routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if (entry := entry_of(handler)) is not None:
                    for method in sorted(handler.http_methods):
                        yield _wire_path(route.path_format), method.lower(), handler, entry


def _wire_path(path_format: str) -> str:
    """Return a path with its parameters named as everything on the wire is."""
    return "/".join("{" + camel(part[1:-1]) + "}" if part.startswith("{") else part for part in path_format.split("/"))


def camel(name: str) -> str:
    """Return a Python name as the wire spells it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class _Schemas:
    """The schemas of every type that the calls speak in."""

    def __init__(self, found: Sequence[_Found]) -> None:
        kinds: list[Any] = [Failure, str]
        for _, _, handler, entry in found:
            kinds += [kind for kind in (body_type(handler), data_type(handler)) if kind is not None]
            kinds += [field.kind for field in (*entry.path, *entry.query)]
        shown, self.components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
        self._shown = dict(zip(map(repr, kinds), shown, strict=True))
        self.components["Refused"] = _envelope("FAIL", NOTHING, self.of(Failure))

    def of(self, kind: object) -> Json:
        """Return the schema of a type, by reference where it has a name."""
        return dict(self._shown[repr(kind)])

    def success(self, kind: object, *, listing: bool) -> Json:
        """Return the envelope around a type; that around a *listing* may say that it is stale."""
        return _envelope("SUCCESS", self.of(kind), NOTHING, **({"stale": STALE} if listing else {}))


def _envelope(result: str, data: Json, exception: Json, **optional: Json) -> Json:
    return {
        "type": "object",
        "required": ["resultType", "data", "exception"],
        "properties": {"resultType": {"const": result}, "data": data, **optional, "exception": exception},
    }


def _operation(path: str, handler: HTTPRouteHandler, entry: Entry, schemas: _Schemas) -> Json:
    operation: Json = {
        "operationId": camel(handler.handler_name),
        "tags": [entry.tag],
        "summary": entry.summary,
        "description": (handler.fn.__doc__ or "").strip(),
        "parameters": _parameters(path, entry, schemas),
        "responses": {
            "200": _success(data_type(handler), entry, schemas),
            **({"304": _not_modified()} if entry.listing else {}),
            **_refused(refusals_of(handler, entry)),
        },
        "security": SECURITY[entry.needs],
    }
    if (body := body_type(handler)) is not None:
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(body)),
            "content": {"application/json": {"schema": schemas.of(body)}},
        }
    return operation


def _parameters(path: str, entry: Entry, schemas: _Schemas) -> list[Json]:
    described = {field.name: field for field in entry.path}
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    in_path = [described.get(name, Field(name=name, kind=str, description="")) for name in names]
    shared = ["acceptLanguage"]
    own: list[Json] = []
    if entry.key_required:
        own.append({**PARAMETERS["idempotencyKey"], "required": True})
    elif entry.repeatable:
        shared.append("idempotencyKey")
    if entry.listing:
        shared.append("ifNoneMatch")
    return [
        *({**_parameter(field, "path", schemas.of(field.kind)), "required": True} for field in in_path),
        *(_parameter(field, "query", schemas.of(field.kind)) for field in entry.query),
        *own,
        *({"$ref": f"#/components/parameters/{name}"} for name in shared),
    ]


def _parameter(field: Field, place: str, schema: Json) -> Json:
    described = {"description": field.description} if field.description else {}
    return {"name": field.name, "in": place, "required": field.required, "schema": schema, **described}


def _success(kind: object, entry: Entry, schemas: _Schemas) -> Json:
    headers = ["X-Request-Id", "Stagedoor-Identity", "Cache-Control"]
    if entry.repeatable:
        headers.append("Idempotent-Replay")
    if entry.listing:
        headers += ["ETag", "Vary", "Age"]
    if kind is str:
        content: Json = {"text/plain": {"schema": TEXT}}
    else:
        example = {"resultType": "SUCCESS", "data": entry.example, "exception": {}}
        content = {"application/json": {"schema": schemas.success(kind, listing=entry.listing), "example": example}}
    return {"description": "It worked.", "headers": _header_refs(headers), "content": content}


def _not_modified() -> Json:
    headers = ["X-Request-Id", "Stagedoor-Identity", "ETag", "Cache-Control", "Vary", "Age"]
    return {"description": "You have this list already.", "headers": _header_refs(headers)}


def _refused(refusals: Sequence[Refusal]) -> Json:
    by_status: dict[int, list[Refusal]] = {}
    for refusal in refusals:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {str(status): _refused_with(status, told) for status, told in by_status.items()}


def _refused_with(status: int, refusals: Sequence[Refusal]) -> Json:
    headers = ["X-Request-Id", "Stagedoor-Identity", "Cache-Control", "Vary"]
    if status in _COME_BACK:
        headers.append("Retry-After")
    if status == NOBODY.status:
        headers.append("WWW-Authenticate")
    examples = {
        f"{refusal.code}-{number}" if number > 1 else refusal.code: {"summary": refusal.en, "value": _example(refusal)}
        for number, refusal in _numbered(refusals)
    }
    return {
        "description": " ".join(f"`{refusal.code}`: {refusal.en}" for refusal in refusals),
        "headers": _header_refs(headers),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}, "examples": examples}},
    }


def _numbered(refusals: Sequence[Refusal]) -> Iterator[tuple[int, Refusal]]:
    seen: dict[str, int] = {}
    for refusal in refusals:
        seen[refusal.code] = seen.get(refusal.code, 0) + 1
        yield seen[refusal.code], refusal


def _example(refusal: Refusal) -> Json:
    exception: Json = {"code": refusal.code, "message": refusal.en}
    if refusal.retry_after_ms is not None:
        exception["retryAfterMs"] = refusal.retry_after_ms
    return {"resultType": "FAIL", "data": {}, "exception": exception}


def _header_refs(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
