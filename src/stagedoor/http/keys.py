"""The `Idempotency-Key` header: a client's own name for one request."""

import hashlib

import msgspec

from stagedoor.http.call import Call
from stagedoor.http.rejections import Unreadable
from stagedoor.kernel.idempotency import IdempotencyKey

KEY_CHARACTERS_MAX = 128

_HEADER = b"idempotency-key"


def key_of(call: Call, *asked: object) -> IdempotencyKey | None:
    """
    Return the request's key, None where it has none.

    Its fingerprint is a SHA-256 over *asked*: the body as it was understood
    and the path's parameters. Two spellings of the same request are the same
    request. Raises `Unreadable` for a key that is not 1-128 printable ASCII
    characters, or was sent twice.
    """
    values = [value for name, value in call.scope["headers"] if name == _HEADER]
    if not values:
        return None
    if len(values) > 1:
        raise Unreadable("Idempotency-Key", "given_twice")
    value = values[0].decode("latin-1")
    if not (1 <= len(value) <= KEY_CHARACTERS_MAX and value.isascii() and value.isprintable()):
        raise Unreadable("Idempotency-Key", "out_of_range", expected="1 to 128 printable ASCII characters")
    return IdempotencyKey(value=value, fingerprint=hashlib.sha256(msgspec.json.encode(asked)).hexdigest())
