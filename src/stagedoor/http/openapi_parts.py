"""What the API document says once for all calls: tags, headers, parameters, ways to prove who one is."""

from collections.abc import Mapping
from typing import Any

from stagedoor.http.contract import Needs
from stagedoor.http.keys import KEY_CHARACTERS_MAX

Json = dict[str, Any]

NOTHING: Json = {"type": "object", "maxProperties": 0}
TEXT: Json = {"type": "string"}
STALE: Json = {
    "const": True,
    "description": "Only in an outage: the list as it last was; `Age` says since when.",
}

TAGS = {
    "queue": "The waiting line.",
    "concerts": "What is on, and the sale.",
    "user": "A buyer's own affairs.",
    "process": "How the server is.",
    "ops": "For operators.",
}

DESCRIPTION = """\
Waiting room, seats, five-minute reservations, wallet and payment.

Every answer is an envelope: `resultType` SUCCESS with `data`, or FAIL with `exception`, whose `code` is stable.
A refusal is decided in this order, the first that fits: unreadable (413, 415, 400), 401, 404, an idempotency key
that is known, paid already (409), the place is over (003), still waiting (001, 403), the reservation is over (006),
too many seats (007), sold out (002) or taken (004), the balance (005). HEAD and OPTIONS are answered wherever GET is.

A call that has to wait for something is answered by its deadline at the latest. `Stagedoor-Deadline-Ms` says that you
wait less: a whole number of milliseconds, counted from when all of the request has arrived. What comes too late is not
begun, save what tries whether a store is back after an outage; what was begun goes on, and a repeat with the same
`Idempotency-Key` tells how it ended.
"""

SECURITY_SCHEMES: Json = {
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
SECURITY: Mapping[Needs, list[Json]] = {
    Needs.NOTHING: [],
    Needs.IDENTITY: [{"identity": []}, {}],
    Needs.QUEUE_TOKEN: [{"queueToken": []}],
    Needs.WHO_SHE_IS: [{"queueToken": []}, {"identity": []}, {}],
    Needs.OPERATOR: [{"operatorKey": []}, {}],
}

HEADERS: Json = {
    "X-Request-Id": {"description": "Names the request in the server's log.", "schema": TEXT},
    "Stagedoor-Identity": {
        "description": "Sent under the demo identity, which believes every `userId`.",
        "schema": {"const": "demo"},
    },
    "Retry-After": {"description": "In how many seconds to try again.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": TEXT},
    "Idempotent-Replay": {
        "description": "The first answer to the same `Idempotency-Key` is given again.",
        "schema": {"const": "true"},
    },
    "ETag": {"description": "Names what is in the list; send it as `If-None-Match`.", "schema": TEXT},
    "Age": {
        "description": "Only in an outage, of a stale list: for how many seconds it may have been out of date.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Cache-Control": {"description": "Who may keep the answer.", "schema": TEXT},
    "Vary": {"description": "What the answer also depends on.", "schema": TEXT},
}

PARAMETERS: Json = {
    "acceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "description": "The language of refusals: en or ko.",
        "schema": TEXT,
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
        "schema": TEXT,
    },
}
