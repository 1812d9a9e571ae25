"""One request under way: what was asked, by whom it is served, and what has become of it so far."""

import secrets
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count
from time import perf_counter
from typing import cast

from litestar.handlers import BaseRouteHandler
from litestar.types import Scope
from typing_extensions import override

from stagedoor.http.client_address import ClientAddress, client_address
from stagedoor.http.services import Services
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.model import SignedPlace

_SCOPE_KEY = "stagedoor.call"


class Headers(Mapping[str, str]):
    """A request's headers by lower-case name, read where they lie; of a header sent twice, the first."""

    __slots__ = ("_raw",)

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        """Look into *raw*, whose names are in lower case already (ASGI)."""
        self._raw = raw

    @override
    def __getitem__(self, name: str) -> str:
        wanted = name.encode("latin-1")
        for key, value in self._raw:
            if key == wanted:
                return value.decode("latin-1")
        raise KeyError(name)

    @override
    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # only texts are asked for
        """Return the header, without the exception that `Mapping` takes the way over."""
        wanted = name.encode("latin-1")
        for key, value in self._raw:
            if key == wanted:
                return value.decode("latin-1")
        return default

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.decode("latin-1") for key, _ in self._raw))

    @override
    def __len__(self) -> int:
        return len({key for key, _ in self._raw})


class RequestIds:
    """Names requests: unique to this process's life, and nothing that a client chose."""

    def __init__(self) -> None:
        """Begin with a name for this process."""
        self._process = secrets.token_hex(6)
        self._numbers = count(1)

    def __call__(self) -> str:
        """Return the next one."""
        return f"{self._process}-{next(self._numbers):x}"


class Call:
    """
    One request and what is known of it.

    *asked_at* is when it came: its token and its limits are judged by that.
    *code* and *cause* are set once it was refused or failed; *status* once the
    answer has begun, 0 before.
    """

    __slots__ = ("_headers", "asked_at", "began", "cause", "code", "request_id", "scope", "services", "status")

    def __init__(self, scope: Scope, services: Services, request_id: str) -> None:
        """Begin; from here on `call_of(scope)` finds it."""
        self.scope = scope
        self.services = services
        self.request_id = request_id
        self.began = perf_counter()
        self.asked_at = services.clock.now()
        self.status = 0
        self._headers: Headers | None = None
        self.code: str | None = None
        self.cause: BaseException | None = None
        scope[_SCOPE_KEY] = self  # type: ignore[literal-required]

    def end(self) -> None:
        """End: `call_of(scope)` finds it no more, so that neither of the two has to wait for the collector."""
        del self.scope[_SCOPE_KEY]  # type: ignore[misc]  # as above

    @property
    def headers(self) -> Headers:
        """What came with it."""
        if self._headers is None:
            self._headers = Headers(cast("list[tuple[bytes, bytes]]", self.scope["headers"]))
        return self._headers

    @property
    def name(self) -> str:
        """The call's name, of a closed set: metrics and logs go by it and never by the path."""
        return _name_of(self.scope.get("route_handler"))

    @property
    def address(self) -> ClientAddress:
        """Where it comes from, as far as that can be believed."""
        return client_address(self.scope, self.services.trusted_proxies)  # type: ignore[arg-type]  # a dict by any name

    def claims(self) -> SignedPlace:
        """Return what the queue token says. Raises `BadToken`, also where there is none."""
        return self.services.tokens.read(self._authorization(), now=self.asked_at)

    async def who(self, user_id: BuyerId | None) -> BuyerId:
        """
        Return who is asking: by her identity, or by any genuine queue token of hers.

        Raises `BadToken` for a token that is bad, whatever else proves who she
        is, and `UnknownPlace` for one that was revoked; `BadIdentity`;
        `ForeignIdentity` for a *user_id* that is not hers.
        """
        authorization = self._authorization()
        claims = None if authorization is None else self.services.tokens.read(authorization, now=self.asked_at)
        buyer_id = await self.services.identity.who(self.headers, user_id, claims)
        if claims is not None:
            await self.services.recognize_place.recognize(ref=claims.ref, signed=claims)
        return buyer_id

    @property
    def accepted_language(self) -> bytes | None:
        """What language its answer is to speak, as it was sent."""
        return self._header(b"accept-language")

    def _authorization(self) -> bytes | None:
        return self._header(b"authorization")

    def _header(self, wanted: bytes) -> bytes | None:
        for name, value in self.scope["headers"]:
            if name == wanted:
                return value
        return None


@cache
def _name_of(handler: BaseRouteHandler | None) -> str:
    return "none" if handler is None else handler.handler_name


def call_of(scope: Scope) -> Call:
    """Return the call that *scope* belongs to."""
    return cast("Call", scope[_SCOPE_KEY])  # type: ignore[literal-required]
