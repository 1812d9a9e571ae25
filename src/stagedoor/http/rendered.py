"""A list as the bytes that go out: made once, named by what is in it, compressed when first asked for that way."""

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stagedoor.http.answer import Answer, Cache, RawHeaders, stale
from stagedoor.http.language import quality_of

COMPRESSED_FROM_BYTES = 1_000
_GZIP_LEVEL = 3
_AT_ONCE_BYTES_MAX = 32_000
_ETAG_BYTES = 12
_NOT_MODIFIED = 304


class Rendered:
    """
    The whole body of an answer, with its entity tag.

    The tag is made from the content alone, so it means the same after a
    restart and on another server; it is weak, because the compressed body
    carries it too.
    """

    __slots__ = ("_cache", "_compressed", "_compressing", "_marked", "body", "headers", "tag")

    def __init__(self, body: bytes, *, cache: Cache, media_type: bytes = b"application/json") -> None:
        """Name *body*."""
        self.body = body
        self._cache = cache
        self._marked: Rendered | None = None
        self.tag = hashlib.blake2b(body, digest_size=_ETAG_BYTES).hexdigest()
        self.headers: RawHeaders = (
            (b"etag", f'W/"{self.tag}"'.encode()),
            cache.value,
            (b"vary", b"accept-encoding"),
            (b"content-type", media_type),
        )
        self._compressed: bytes | None = None
        self._compressing: asyncio.Future[bytes] | None = None

    async def answer(self, headers: Mapping[str, str]) -> Answer[Any]:
        """Answer a request with these *headers*: with the list, or with 304 to somebody who has it already."""
        answer = self.answer_at_once(headers)
        if answer is None:
            await self.compressed()
            answer = self.answer_at_once(headers)
            assert answer is not None
        return answer

    def answer_at_once(self, headers: Mapping[str, str]) -> Answer[Any] | None:
        """Answer as `answer` does, None where the list has to be compressed first."""
        wanted = headers.get("if-none-match")
        if wanted is not None and _has(wanted, self.tag):
            return Answer(b"", status=_NOT_MODIFIED, headers=self.headers[:3])
        if len(self.body) >= COMPRESSED_FROM_BYTES and _takes_gzip(headers.get("accept-encoding")):
            if self._compressed is None:
                return None
            return Answer(self._compressed, headers=(*self.headers, (b"content-encoding", b"gzip")))
        return Answer(self.body, headers=self.headers)

    def aged(self, age_s: int) -> "StaleCopy":
        """Return the list, an envelope, marked as one that may have been out of date for *age_s* seconds."""
        if self._marked is None:
            self._marked = Rendered(stale(self.body), cache=self._cache)
        return StaleCopy(self._marked, age_s)

    async def compressed(self) -> bytes:
        """Return the body in gzip, made once; a large one in a thread, so that nobody else waits for it."""
        if self._compressed is None:
            if len(self.body) <= _AT_ONCE_BYTES_MAX:
                self._compressed = self._gzip()
            else:
                if self._compressing is None:
                    self._compressing = asyncio.ensure_future(asyncio.to_thread(self._gzip))
                self._compressed = await asyncio.shield(self._compressing)
        return self._compressed

    def _gzip(self) -> bytes:
        # Without the time of its making: the same list is the same bytes.
        return gzip.compress(self.body, _GZIP_LEVEL, mtime=0)


@dataclass(frozen=True, slots=True)
class StaleCopy:
    """
    A list that could not be read again: the last good one, marked in its body and, with its age, in its head.

    Its tag is not that of the same list unmarked: who has one of the two is
    not told that she has the other.
    """

    marked: Rendered
    age_s: int

    async def answer(self, headers: Mapping[str, str]) -> Answer[Any]:
        """Answer a request with these *headers*, as the list itself would."""
        answer = await self.marked.answer(headers)
        return Answer(answer.body, status=answer.status, headers=(*answer.raw_headers, (b"age", b"%d" % self.age_s)))


def _has(if_none_match: str, tag: str) -> bool:
    """Return whether a client that sent *if_none_match* has the list named *tag* (RFC 9110 section 13.1.2, weakly)."""
    named = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return f'"{tag}"' in named or named == ["*"]


def _takes_gzip(accept_encoding: str | None) -> bool:
    """Return whether gzip may be sent (RFC 9110 section 12.5.3)."""
    if accept_encoding is None:
        return False
    qualities = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        qualities[coding.strip()] = quality_of(parameters)
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0
