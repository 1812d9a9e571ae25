"""
Reading what a client sent, strictly: 413, then 415, then 400 with the field's name.

Python's own JSON reader is used because it tells of a key that is there twice
and of an integer that no 64 bits hold; msgspec then checks the types.
"""

import asyncio
import contextlib
import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from litestar.types import HTTPReceiveMessage, Receive

from stagedoor.http.call import Call
from stagedoor.http.rejections import BodyTooLarge, ClientGone, NotJson, Unreadable
from stagedoor.kernel.ids import WIRE_ID_MAX, BuyerId

T = TypeVar("T")
V = TypeVar("V")

NESTING_MAX = 16
QUERY_FIELDS_MAX = 50
BODY_WAIT_S_MAX = 15
DRAINED_BYTES_MAX = 1_000_000

_WHOLE_BODY = "body"
_EXACT = rb"(?:\d{1,15}|[1-8]\d{15})"
_PLAIN = re.compile(rb'\{ ?"([a-zA-Z]+)": ?%b(?:, ?"([a-zA-Z]+)": ?%b)? ?\}' % (_EXACT, _EXACT))
"""One or two whole numbers below 2^53, by name, as nearly every body is: msgspec alone misses nothing in it."""
_BEYOND = 1 << 60
_DIGITS_SURELY_BEYOND = 18
_ID = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_AT_FIELD = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `([^`]+)`")
_OF_JSON = (b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8")


async def read_body(call: Call, receive: Receive) -> bytes:
    """
    Return the whole body.

    Raises `BodyTooLarge`, also where no length was announced; `Unreadable` for
    a body that does not come; `ClientGone`.
    """
    limit = call.services.body_bytes_max
    pieces: list[bytes] = []
    size = 0
    complete = False
    try:
        async with asyncio.timeout(BODY_WAIT_S_MAX):
            # A client in the middle of sending does not look at the answer, so a body that is only somewhat too
            # large is let in and forgotten; one that goes on and on is cut off.
            while not complete and size <= DRAINED_BYTES_MAX:
                piece, complete = await _piece(receive)
                size += len(piece)
                if size <= limit:
                    pieces.append(piece)
    except TimeoutError:
        raise Unreadable(_WHOLE_BODY, "incomplete") from None
    if size > limit:
        raise BodyTooLarge
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def drain(receive: Receive) -> None:
    """Let a body that is too large in and forget it; one that goes on and on, or does not come, is cut off."""
    size = 0
    complete = False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BODY_WAIT_S_MAX):
            while not complete and size <= DRAINED_BYTES_MAX:
                piece, complete = await _piece(receive)
                size += len(piece)


async def read_json(call: Call, receive: Receive, model: type[T]) -> T:
    """
    Return the body as a *model*; an empty one is an empty object.

    Raises what `read_body` raises, `NotJson` and `Unreadable`.
    """
    return read_whole(call, await read_body(call, receive), model)


def read_whole(call: Call, body: bytes, model: type[T]) -> T:
    """Return the whole *body* as a *model*; an empty one is an empty object. Raises `NotJson` and `Unreadable`."""
    if not body:
        return _as_model({}, model)
    _check_media_type(call)
    return decode(body, model)


def decode(body: bytes, model: type[T]) -> T:
    """Return the JSON text *body* as a *model*. Raises `Unreadable`."""
    if (plain := _PLAIN.fullmatch(body)) is not None and plain[1] != plain[2]:
        # What is refused is refused below, which can say why.
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(body, type=model)
    try:
        document = _decoder.decode(body.decode())
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise Unreadable(_WHOLE_BODY, "not_json") from None
    except RecursionError:
        raise Unreadable(_WHOLE_BODY, "nested_too_deeply", expected=f"at most {NESTING_MAX} levels") from None
    if document is None:
        document = {}
    _inspect(document, _WHOLE_BODY, 1)
    return _as_model(document, model)


def given(value: V | msgspec.UnsetType, kind: Callable[[V], T]) -> T | None:
    """Return an optional field as *kind*, None if it was not sent."""
    return None if value is msgspec.UNSET else kind(value)


class Query:
    """A call's query, read field by field; fields that nobody asks for are ignored."""

    __slots__ = ("_fields",)

    def __init__(self, call: Call) -> None:
        """Split the query. Raises `Unreadable` if it is not UTF-8 or has far too many fields."""
        raw = call.scope["query_string"]
        self._fields: list[tuple[str, str]] = []
        if raw:
            try:
                self._fields = parse_qsl(
                    raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX
                )
            except ValueError:
                raise Unreadable("query", "not_readable") from None

    def text(self, name: str) -> str | None:
        """Return the field, None if it is not there. Raises `Unreadable` if it is there twice."""
        values = [value for key, value in self._fields if key == name]
        if len(values) > 1:
            raise Unreadable(name, "given_twice")
        return values[0] if values else None

    def optional_id(self, name: str) -> int | None:
        """Return the field as an id, None if it is not there. Raises `Unreadable`."""
        value = self.text(name)
        return None if value is None else parse_id(name, value)

    def required_id(self, name: str) -> int:
        """Return the field as an id. Raises `Unreadable`."""
        value = self.text(name)
        if value is None:
            raise Unreadable(name, "missing")
        return parse_id(name, value)

    def everything(self) -> bool:
        """Return whether `status=all` was asked for. Raises `Unreadable` for a word that is not known."""
        match self.text("status"):
            case None | "available":
                return False
            case "all":
                return True
            case _:
                raise Unreadable("status", "out_of_range", expected="all or available")

    def limit(self, *, default: int, most: int) -> int:
        """Return how many rows were asked for. Raises `Unreadable`."""
        value = self.optional_id("limit")
        if value is None:
            return default
        if value > most:
            raise Unreadable("limit", "out_of_range", expected=f"1 to {most}")
        return value


def user_id_of(call: Call, in_body: int | msgspec.UnsetType = msgspec.UNSET) -> BuyerId | None:
    """Return the `userId` of the body or the query, None where there is none. Raises `Unreadable` if they differ."""
    in_query = Query(call).optional_id("userId")
    if in_body is msgspec.UNSET:
        return None if in_query is None else BuyerId(in_query)
    if in_query is not None and in_query != in_body:
        raise Unreadable("userId", "given_twice")
    return BuyerId(in_body)


def parse_id(name: str, value: str) -> int:
    """Return an id from a path or query. Raises `Unreadable`."""
    if _ID.fullmatch(value) is None:
        raise Unreadable(name, "wrong_type" if not value.isdecimal() else "out_of_range", expected="a positive integer")
    number = int(value)
    if number > WIRE_ID_MAX:
        raise Unreadable(name, "out_of_range", expected=f"at most {WIRE_ID_MAX}")
    return number


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    message = cast("HTTPReceiveMessage", await receive())
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), not message.get("more_body", False)


def _check_media_type(call: Call) -> None:
    media_type = encoding = None
    for name, value in call.scope["headers"]:
        if name == b"content-type" and media_type is None:
            media_type = value
        elif name == b"content-encoding" and encoding is None:
            encoding = value
    if media_type is not None and media_type not in _OF_JSON and not _is_json(media_type.decode("latin-1")):
        raise NotJson
    if encoding is not None and encoding.strip().lower() not in {b"", b"identity"}:
        raise NotJson


def _is_json(media_type: str) -> bool:
    essence, *parameters = (part.strip().lower() for part in media_type.split(";"))
    if essence != "application/json":
        return False
    charsets = [parameter.partition("=")[2].strip('"') for parameter in parameters if parameter.startswith("charset=")]
    return all(charset in {"utf-8", "utf8"} for charset in charsets)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Unreadable(_named(key), "given_twice")
            seen.add(key)
    return found


def _integer(digits: str) -> int:
    # However long it is, it is beyond; `_inspect` or the model says of which field.
    return _BEYOND if len(digits) > _DIGITS_SURELY_BEYOND else int(digits)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Unreadable(_WHOLE_BODY, "out_of_range")
    return number


def _constant(_: str) -> NoReturn:
    # NaN and Infinity are Python's additions to JSON.
    raise Unreadable(_WHOLE_BODY, "not_json")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object_of, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def _inspect(value: object, field: str, depth: int) -> None:
    """Refuse what is nested too deeply, too large to be exact in JavaScript, or no Unicode text."""
    match value:
        case dict() | list():
            if depth > NESTING_MAX:
                raise Unreadable(field, "nested_too_deeply", expected=f"at most {NESTING_MAX} levels")
            _inspect_inside(value, field, depth)
        case bool():
            pass
        case int():
            if abs(value) > WIRE_ID_MAX:
                raise Unreadable(field, "out_of_range", expected=f"at most {WIRE_ID_MAX}")
        case str():
            if not value.isascii():
                _check_text(value, field)


def _inspect_inside(value: dict[str, Any] | list[Any], field: str, depth: int) -> None:
    if isinstance(value, list):
        for inner in value:
            _inspect(inner, field, depth + 1)
        return
    for key, inner in value.items():
        # Deep inside, the field is the outermost one: that is where a client has to look.
        name = _named(key) if depth == 1 else field
        _inspect(key, name, depth)
        _inspect(inner, name, depth + 1)


def _check_text(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable(field, "not_unicode") from None


def _as_model(document: object, model: type[T]) -> T:
    try:
        return msgspec.convert(document, model)
    except msgspec.ValidationError as error:
        raise _unreadable(str(error)) from None


def _unreadable(message: str) -> Unreadable:
    """Return msgspec's sentence as a field, a problem and an expectation."""
    at = _AT_FIELD.search(message)
    path = at.group(1) if at else ""
    said = message[: at.start()] if at else message
    if missing := _MISSING.match(said):
        return Unreadable(f"{path}.{missing.group(1)}" if path else missing.group(1), "missing")
    expected = said.removeprefix("Expected ").partition(", got ")[0].replace("`", "")
    problem = "wrong_type" if ", got " in said else "out_of_range"
    return Unreadable(path or _WHOLE_BODY, problem, expected=expected)


def _named(key: str) -> str:
    """Return a key that a client made up in a form that can be told and logged: short, and text."""
    return key.encode("ascii", "replace")[:64].decode()
