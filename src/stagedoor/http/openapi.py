"""
The API document, OpenAPI 3.1, drawn from the handlers themselves.

A call's body and `data` are the types of its signature, and msgspec, which
checks requests by them, also writes their schemas. Litestar's own generator is
not used because it leaves out the limits of list items and knows neither our
envelope nor our refusals.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from stagedoor import __version__
from stagedoor.http.contract import Entry, Field, Needs, entry_of
from stagedoor.http.keys import KEY_CHARACTERS_MAX
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

Json = dict[str, Any]

_NOTHING: Json = {"type": "object", "maxProperties": 0}
_TEXT: Json = {"type": "string"}
_COME_BACK = {TOO_MANY.status, UNAVAILABLE.status, RUNNING.status}

_TAGS = {
    "queue": "The waiting line.",
    "concerts": "What is on, and the sale.",
    "user": "A buyer's own affairs.",
    "process": "How the server is.",
    "ops": "For operators.",
}

_DESCRIPTION = """\
Waiting room, seats, five-minute reservations, wallet and payment.

Every answer is an envelope: `resultType` SUCCESS with `data`, or FAIL with `exception`, whose `code` is stable.
A refusal is decided in this order, the first that fits: unreadable (413, 415, 400), 401, 404, an idempotency key
that is known, paid already (409), the place is over (003), still waiting (001, 403), the reservation is over (006),
too many seats (007), sold out (002) or taken (004), the balance (005). HEAD and OPTIONS are answered wherever GET is.
"""

_SECURITY_SCHEMES: Json = {
    "queueToken": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The queue token itself, or `Bearer` and the token.",
    },
    "identity": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Identity",
        "description": "A JWT of the shop's own login. Under the demo identity a `userId` takes its place.",
    },
    "operatorKey": {"type": "http", "scheme": "bearer", "description": "An operator's key."},
}
# An empty requirement stands for what no scheme can say: a `userId` under the demo identity, a loopback bind.
_SECURITY: Mapping[Needs, list[Json]] = {
    Needs.NOTHING: [],
    Needs.IDENTITY: [{"identity": []}, {}],
    Needs.QUEUE_TOKEN: [{"queueToken": []}],
    Needs.WHO_SHE_IS: [{"queueToken": []}, {"identity": []}, {}],
    Needs.OPERATOR: [{"operatorKey": []}, {}],
}

_HEADERS: Json = {
    "X-Request-Id": {"description": "Names the request in the server's log.", "schema": _TEXT},
    "Stagedoor-Identity": {
        "description": "Sent under the demo identity, which believes every `userId`.",
        "schema": {"const": "demo"},
    },
    "Retry-After": {"description": "In how many seconds to try again.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": _TEXT},
    "Idempotent-Replay": {
        "description": "The first answer to the same `Idempotency-Key` is given again.",
        "schema": {"const": "true"},
    },
    "ETag": {"description": "Names what is in the list; send it as `If-None-Match`.", "schema": _TEXT},
    "Cache-Control": {"description": "Who may keep the answer.", "schema": _TEXT},
    "Vary": {"description": "What the answer also depends on.", "schema": _TEXT},
}

_PARAMETERS: Json = {
    "acceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "description": "The language of refusals: en or ko.",
        "schema": _TEXT,
    },
    "idempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Your own name for this request: sent again with it, it has one effect and one answer.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": KEY_CHARACTERS_MAX,
            "pattern": "^[ -~]+$",
        },
    },
    "ifNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of the list you have.",
        "schema": _TEXT,
    },
}

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
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items() if name in tags],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": _SECURITY_SCHEMES,
            "headers": _HEADERS,
            "parameters": _PARAMETERS,
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
        self.components["Refused"] = _envelope("FAIL", _NOTHING, self.of(Failure))

    def of(self, kind: object) -> Json:
        """Return the schema of a type, by reference where it has a name."""
        return dict(self._shown[repr(kind)])

    def success(self, kind: object) -> Json:
        """Return the envelope around a type."""
        return _envelope("SUCCESS", self.of(kind), _NOTHING)


def _envelope(result: str, data: Json, exception: Json) -> Json:
    return {
        "type": "object",
        "required": ["resultType", "data", "exception"],
        "properties": {"resultType": {"const": result}, "data": data, "exception": exception},
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
        "security": _SECURITY[entry.needs],
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
        own.append({**_PARAMETERS["idempotencyKey"], "required": True})
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
        headers += ["ETag", "Vary"]
    if kind is str:
        content: Json = {"text/plain": {"schema": _TEXT}}
    else:
        example = {"resultType": "SUCCESS", "data": entry.example, "exception": {}}
        content = {"application/json": {"schema": schemas.success(kind), "example": example}}
    return {"description": "It worked.", "headers": _header_refs(headers), "content": content}


def _not_modified() -> Json:
    headers = ["X-Request-Id", "Stagedoor-Identity", "ETag", "Cache-Control", "Vary"]
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
