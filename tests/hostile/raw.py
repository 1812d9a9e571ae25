"""An attacker's client: any bytes out, everything that comes back taken apart by the letter of RFC 9112."""

import asyncio
import re
from dataclasses import dataclass

HOST = "127.0.0.1"
DEADLINE_S = 30

_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*")


class NotHttpError(AssertionError):
    """What came back is no whole number of answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; header names in lower case, of one sent twice the last."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send *pieces* on a connection of their own and return everything that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        async with asyncio.timeout(DEADLINE_S):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
    except ConnectionError as error:
        raise NotHttpError(f"{error}: {b''.join(pieces)[:600]!r}") from error
    finally:
        writer.close()


def answers_in(said: bytes, *, method: bytes = b"GET") -> list[Answer]:
    """Take *said* apart; *method* says whether bodies go with it. Raises `NotHttpError`."""
    found: list[Answer] = []
    while said:
        head, end, said = said.partition(b"\r\n\r\n")
        first, *fields = head.split(b"\r\n")
        line = _STATUS_LINE.fullmatch(first)
        if line is None or not end:
            raise NotHttpError(head[:200])
        status = int(line[1])
        if status == 100:
            continue
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1").strip()
            for name, _, value in (field.partition(b":") for field in fields)
        }
        length = 0 if method == b"HEAD" else int(headers.get("content-length", "0"))
        if len(said) < length or headers.get("transfer-encoding") is not None:
            raise NotHttpError(head[:200])
        found.append(Answer(status=status, headers=headers, body=said[:length]))
        said = said[length:]
    return found
