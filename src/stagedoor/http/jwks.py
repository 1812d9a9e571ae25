"""The keys of the shop's login: a shared secret, or a published set that is read again when a new one turns up."""

import asyncio
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import jwt
import msgspec

from stagedoor.kernel.clock import MINUTE_MS, Clock, Instant
from stagedoor.kernel.errors import Fault
from stagedoor.observability.unheard import to_its_end

SYMMETRIC = ("HS256", "HS384", "HS512")
SHARED_SECRET_BYTES_MIN = 32
READ_AGAIN_AFTER_MS = MINUTE_MS
DOCUMENT_BYTES_MAX = 256 * 1_024
FETCH_SECONDS_MAX = 5.0

_CHUNK_BYTES = 16 * 1_024
_MEANT_FOR: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The kind of key and the curve that each algorithm is for (RFC 7518 §3.1, RFC 8037 §3.1)."""

ASYMMETRIC = tuple(_MEANT_FOR)


class KeysUnavailable(Fault):
    """The login's keys could not be read: nobody is believed until they can be."""


class IdentityKeys(Protocol):
    """The keys that logins are verified with."""

    @property
    def symmetric(self) -> bool:
        """Whether it is a secret shared with the login, rather than its public keys."""
        ...

    async def find(self, kid: str | None, algorithm: str) -> object | None:
        """Return the key for *algorithm* that *kid* names, None if there is none. Raises `KeysUnavailable`."""
        ...


class SharedSecret(IdentityKeys):
    """One secret that the login signs with too."""

    def __init__(self, secret: bytes) -> None:
        """Raise `ValueError` for a secret under 32 bytes."""
        if len(secret) < SHARED_SECRET_BYTES_MIN:
            raise ValueError(
                f"the identity's secret has {len(secret)} bytes; it needs at least {SHARED_SECRET_BYTES_MIN}"
            )
        self._secret = secret

    @property
    def symmetric(self) -> bool:
        """A secret is symmetric."""
        return True

    async def find(self, kid: str | None, algorithm: str) -> object | None:  # noqa: ARG002 -- the port's form
        """Return the secret, whatever it is called."""
        return self._secret


class PublishedKeys(IdentityKeys):
    """
    A JSON Web Key Set (RFC 7517), held in memory.

    It is read again when a login names a key that is not in it, at most once a
    minute; whoever asks meanwhile waits for that reading, which goes on when
    she has gone. If it fails, known keys stay valid and unknown ones are a
    `Fault`, not a refusal.
    """

    def __init__(self, read: Callable[[], bytes], *, algorithms: Sequence[str], clock: Clock) -> None:
        """Get the document by *read*, in a thread; keys for other *algorithms* are left out."""
        self._read = read
        self._algorithms = tuple(algorithms)
        self._clock = clock
        self._keys: Mapping[tuple[str | None, str], object] = {}
        self._asked_at: Instant | None = None
        self._failure: str | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def symmetric(self) -> bool:
        """What is published can only be public keys."""
        return False

    async def refresh(self) -> None:
        """Read the document now; call it once at the start. Raises `KeysUnavailable`, and keeps what was known."""
        await to_its_end(self._begin())
        if self._failure is not None:
            raise KeysUnavailable(f"the login's keys could not be read: {self._failure}")

    async def find(self, kid: str | None, algorithm: str) -> object | None:
        """Return the key, reading the document again if it is not known. A login without a kid fits a single key."""
        key = self._keys.get((kid, algorithm))
        if key is not None:
            return key
        if self._is_being_read() or self._may_ask():
            await to_its_end(self._begin())
        key = self._keys.get((kid, algorithm))
        if key is None and self._failure is not None:
            raise KeysUnavailable(
                f"the login's keys could not be read: {self._failure}", retry_after_ms=READ_AGAIN_AFTER_MS
            )
        return key

    def _is_being_read(self) -> bool:
        return self._reading is not None and not self._reading.done()

    def _may_ask(self) -> bool:
        return self._asked_at is None or self._clock.now() - self._asked_at >= READ_AGAIN_AFTER_MS

    def _begin(self) -> asyncio.Task[None]:
        """Return the reading that is under way, a new one if none is."""
        # In a task of its own: cut off with a caller in a hurry, it would have failed for everybody, for a minute.
        if self._reading is None or self._reading.done():
            self._asked_at = self._clock.now()
            self._reading = asyncio.create_task(self._read_again())
        return self._reading

    async def _read_again(self) -> None:
        self._failure = "it was not read to its end"
        try:
            # Twice the reader's own limit: resolving a host's name cannot be limited in the thread.
            async with asyncio.timeout(2 * FETCH_SECONDS_MAX):
                document = await asyncio.to_thread(self._read)
            self._keys = parse_keys(document, self._algorithms)
        except (OSError, HTTPException, ValueError) as error:
            self._failure = str(error) or type(error).__name__
        else:
            self._failure = None


def keys_in_file(path: Path) -> Callable[[], bytes]:
    """Return a reader of the key set in the file *path*."""

    def read() -> bytes:
        with path.open("rb") as file:
            return _bounded(file.read(DOCUMENT_BYTES_MAX + 1))

    return read


def keys_at_url(
    url: str, *, trust: ssl.SSLContext | None = None, seconds_max: float = FETCH_SECONDS_MAX
) -> Callable[[], bytes]:
    """
    Return a reader of the key set at *url*, bounded in size and, to *seconds_max*, in time.

    Only https is taken, and no redirection followed. *trust* replaces the
    machine's certificate authorities. Raises `ValueError` for another kind of address.
    """
    address = urlsplit(url)
    if address.scheme != "https" or not address.hostname:
        raise ValueError(f"the identity's keys must be at an https address, not at {url!r}")
    if trust is None:
        trust = ssl.create_default_context()
        # Some systems' Python leaves it to OpenSSL's own settings how old a TLS may be.
        trust.minimum_version = max(trust.minimum_version, ssl.TLSVersion.TLSv1_2)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust), _NoRedirection())

    def read() -> bytes:
        ends_at = time.monotonic() + seconds_max
        document = b""
        with opener.open(url, timeout=seconds_max) as answer:
            # In pieces, each as far as it has come: a server that drips must not hold the thread for long.
            while piece := answer.read1(_CHUNK_BYTES):
                document = _bounded(document + piece)
                if time.monotonic() > ends_at:
                    raise TimeoutError(f"longer than {seconds_max} s")
        return document

    return read


def parse_keys(document: bytes, algorithms: Sequence[str]) -> Mapping[tuple[str | None, str], object]:
    """
    Return the keys of a key set for *algorithms*, by kid and algorithm; under kid None where there is only one.

    Symmetric and malformed keys, and those meant for something else than
    signatures, are left out. Raises `ValueError` for a document that is no key
    set, or has no key that could be used.
    """
    try:
        members = _decode(document).keys
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    found: dict[tuple[str | None, str], object] = {}
    for algorithm in algorithms:
        usable = {member.kid: key for member in members if (key := member.key(algorithm)) is not None}
        found.update({(kid, algorithm): key for kid, key in usable.items() if kid is not None})
        if len(usable) == 1:
            # Only where there is one key can it be meant by a login that names none.
            found[None, algorithm] = next(iter(usable.values()))
    if not found:
        raise ValueError(f"no key for {', '.join(algorithms)}")
    return found


class _Member(msgspec.Struct, frozen=True):
    """One published key. Its private part, should somebody have published it, is not read."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None

    def key(self, algorithm: str) -> object | None:
        """Return the key as the JWT library wants it, None if it is not one for *algorithm*."""
        kind, curve = _MEANT_FOR[algorithm]
        if self.kty != kind or self.use not in {None, "sig"} or self.alg not in {None, algorithm}:
            return None
        if curve is not None and self.crv != curve:
            return None
        parts = {name: value for name in ("kty", "crv", "n", "e", "x", "y") if (value := getattr(self, name))}
        try:
            made: object = jwt.PyJWK(parts, algorithm=algorithm).key
        except jwt.PyJWTError:
            return None
        return made


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[_Member]


_decode = msgspec.json.Decoder(_KeySet).decode


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """A redirection is an error: it could lead away from https, or to a host that nobody named."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


def _bounded(document: bytes) -> bytes:
    if len(document) > DOCUMENT_BYTES_MAX:
        raise ValueError(f"the key set is larger than {DOCUMENT_BYTES_MAX} bytes")
    return document
