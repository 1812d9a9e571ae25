"""
A queue token names a place and proves that we named it; whether the place lives is the line's business alone.

Tokens are standard JWTs (RFC 7519, HS256). Reading one is on the path of every
poll, so the signature is checked here with `hmac` and the claims are read by
msgspec; a JWT library is the oracle of the tests.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from stagedoor.kernel.clock import SECOND_MS, Instant
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import WIRE_ID_MAX, BuyerId, PlaceRef
from stagedoor.waiting_room.model import PlaceView, SignedPlace

SECRET_BYTES_MIN = 32
KEYS_VALID_MAX = 2
TOKEN_CHARACTERS_MAX = 2_048
QUEUE_TOKENS = "queue-tokens"
"""The purpose under which the keys of queue tokens are derived."""

_HASH = "sha256"
_SALT = b"stagedoor"
_LINE_NAME_BYTES = 9
_KID_BYTES = 6
_BEARER = b"bearer "

_Signer = Callable[[bytes], bytes]
"""Returns the signature of a text, as it stands in a token."""

_DIGITS_MAX = len(str(WIRE_ID_MAX))


class BadToken(Rejection):
    """The queue token is missing, malformed, forged, expired, or of a line that was given up since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key for queue tokens; *kid* names it in a token's header."""

    kid: str
    secret: bytes


def derive_key(secret: bytes, purpose: str) -> bytes:
    """
    Return the 32-byte key for *purpose* (HKDF with SHA-256, RFC 5869).

    Keys of different purposes say nothing about each other or the secret.
    Raises `ValueError` for a secret under 32 bytes.
    """
    if len(secret) < SECRET_BYTES_MIN:
        raise ValueError(f"the secret has {len(secret)} bytes; it needs at least {SECRET_BYTES_MIN}")
    extracted = hmac.digest(_SALT, secret, _HASH)
    # The output is one block long, so expanding is this one step.
    return hmac.digest(extracted, purpose.encode() + b"\x01", _HASH)


def signing_key(secret: bytes) -> SigningKey:
    """Return the key that signs queue tokens under *secret*; its kid is a short digest of the key itself."""
    derived = derive_key(secret, QUEUE_TOKENS)
    return SigningKey(kid=_base64(hashlib.sha256(derived).digest()[:_KID_BYTES]).decode(), secret=derived)


class QueueTokens:
    """
    Issues and reads queue tokens.

    The first key signs, all verify. *epoch* names the life of the line: a place
    of a line given up since has the same room and number as somebody else's
    now, but another `jti`.
    """

    def __init__(self, keys: Sequence[SigningKey], epoch: str) -> None:
        """Use *keys* (one or two, the current one first)."""
        if not 1 <= len(keys) <= KEYS_VALID_MAX:
            raise ValueError(f"queue tokens take one or {KEYS_VALID_MAX} keys, not {len(keys)}")
        if any(len(key.secret) < SECRET_BYTES_MIN for key in keys):
            raise ValueError(f"a key for queue tokens has at least {SECRET_BYTES_MIN} bytes")
        self._epoch = epoch
        self._line_names: dict[str, str] = {}
        self._header = _header(keys[0].kid)
        self._signers_by_kid = {key.kid: _signer(key.secret) for key in keys}
        self._sign = self._signers_by_kid[keys[0].kid]
        # The headers we write ourselves need no parsing.
        self._signers_by_header = {_header(key.kid): self._signers_by_kid[key.kid] for key in keys}

    def issue(self, place: PlaceView) -> str:
        """Return the token of *place*: under one key and epoch always the same string."""
        ref = place.ref
        claims = _Claims(
            sub=str(place.buyer_id),
            room=ref.room_id,
            num=ref.number,
            jti=self._jti(ref.room_id, ref.number),
            exp=place.token_expires_at // SECOND_MS,
        )
        signed = self._header + b"." + _base64(_encode(claims))
        return (signed + b"." + self._sign(signed)).decode()

    def read(self, authorization: bytes | None, *, now: Instant) -> SignedPlace:
        """
        Return what the token in an `Authorization` header, as it was sent, says.

        The header is the bare token, or `Bearer` and the token. Its end is
        exclusive: a token is refused from the instant `exp` on. Raises
        `BadToken`. (One flat function on purpose: `check_waiting` in the bench.)
        """
        if authorization is None:
            raise BadToken("no token")
        if authorization[6:7] == b" " and authorization[:7].lower() == _BEARER:
            authorization = authorization[7:].strip(b" ")
        if len(authorization) > TOKEN_CHARACTERS_MAX:
            raise BadToken("too long")
        signed, dot, signature = authorization.rpartition(b".")
        header, _, payload = signed.partition(b".")
        sign = self._signers_by_header.get(header) or self._signer_of(header)
        # The signatures are compared as text: decoded first, some characters could be exchanged without effect.
        if not dot or not hmac.compare_digest(sign(signed), signature):
            raise BadToken("the signature is wrong")
        try:
            claims = _decode(a2b_base64(payload.translate(_STANDARD) + _PADDING[len(payload) & 3]))
        except (ValueError, msgspec.MsgspecError):
            raise BadToken("the claims are malformed") from None
        if claims.exp * SECOND_MS <= now:
            raise BadToken("expired")
        if claims.jti != f"{self._line_names.get(claims.room) or self._name_line(claims.room)}{claims.num:x}":
            raise BadToken("of a line given up since")
        return SignedPlace(
            PlaceRef(claims.room, claims.num),  # type: ignore[arg-type]  # new types: each of their calls costs
            _subject(claims.sub),
            claims.exp * SECOND_MS,  # type: ignore[arg-type]
        )

    def _signer_of(self, header: bytes) -> "_Signer":
        """Return the key that a header written differently from ours names, if it says nothing we do not know."""
        try:
            said = _decode_header(urlsafe_b64decode(header + b"=" * (-len(header) % 4)))
        except (ValueError, msgspec.MsgspecError):
            raise BadToken("the header is malformed") from None
        signer = self._signers_by_kid.get(said.kid)
        if said.alg != "HS256" or said.typ != "JWT" or signer is None:
            raise BadToken("not one of our tokens")
        return signer

    def _jti(self, room_id: str, number: int) -> str:
        return f"{self._line_names.get(room_id) or self._name_line(room_id)}{number:x}"

    def _name_line(self, room_id: str) -> str:
        """Return a short name of this life of the room's line. Only rooms of genuine tokens come here, a few."""
        named = hashlib.sha256(f"{self._epoch}:{room_id}".encode()).digest()
        name = self._line_names[room_id] = _base64(named[:_LINE_NAME_BYTES]).decode()
        return name


def subject_id(subject: str) -> BuyerId | None:
    """Return the buyer a `sub` names (the decimal digits of a positive integer below 2^53), None if it names nobody."""
    if not (subject.isascii() and subject.isdecimal()) or subject[0] == "0" or len(subject) > _DIGITS_MAX:
        return None
    number = int(subject)
    return BuyerId(number) if number <= WIRE_ID_MAX else None


class _Claims(msgspec.Struct, frozen=True, gc=False):
    sub: str
    room: str
    num: Annotated[int, msgspec.Meta(ge=1, le=WIRE_ID_MAX)]
    jti: str
    exp: Annotated[int, msgspec.Meta(ge=0, le=WIRE_ID_MAX)]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unknown fields are refused, `crit` among them: what we do not understand must not be skipped."""

    alg: str
    kid: str
    typ: str


_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_PADDING = (b"", b"===", b"==", b"=")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Claims).decode
_decode_header = msgspec.json.Decoder(_Header).decode


def _header(kid: str) -> bytes:
    return _base64(_encode(_Header(alg="HS256", kid=kid, typ="JWT")))


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_URL_SAFE)


def _signer(secret: bytes) -> _Signer:
    """
    Return what signs with *secret*: HMAC with SHA-256 (RFC 2104) in base64url.

    The two halves of the key are hashed once. `hmac.digest` has OpenSSL look up
    its own algorithm for every text, which takes more than twice as long as
    all the rest.
    """
    block = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
    block = block.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(block.translate(_INNER))
    outer = hashlib.sha256(block.translate(_OUTER))

    def sign(text: bytes) -> bytes:
        of_text = inner.copy()
        of_text.update(text)
        signature = outer.copy()
        signature.update(of_text.digest())
        # 32 bytes are 44 characters, the last one padding.
        return b2a_base64(signature.digest(), newline=False)[:43].translate(_URL_SAFE)

    return sign


def _subject(subject: str) -> BuyerId:
    buyer_id = subject_id(subject)
    if buyer_id is None:
        raise BadToken("the subject is nobody's id")
    return buyer_id
