"""What is no HTTP at all is refused in the envelope, too, and a request's head may only be so long."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from stagedoor.http.problems import UNREADABLE

HEAD_BYTES_MAX = 65_536
"""Counted in the pieces in which a head arrives; one that arrives whole is whole."""

_log = logging.getLogger("stagedoor.http.protocol")

Headers = Sequence[tuple[bytes, bytes]]


def protocol_with(headers: Headers) -> type[HttpToolsProtocol]:
    """Return the protocol whose own refusals carry *headers*; all other answers have theirs from the app."""
    body = msgspec.json.encode(
        {"resultType": "FAIL", "data": {}, "exception": {"code": UNREADABLE.code, "message": UNREADABLE.en}}
    )
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *headers,
    ]
    refusal = b"HTTP/1.1 400 Bad Request\r\n" + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n" + body

    class EnvelopeProtocol(HttpToolsProtocol):
        """HTTP/1.1 as uvicorn speaks it, but for what cannot be read."""

        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            # Anybody can send rubbish; a line each would let anybody fill the log.
            self.logger = _log
            self._in_head = True
            self._head_bytes = 0

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._in_head and not self.transport.is_closing():
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_BYTES_MAX:
                    self.send_400_response("")

        def on_message_begin(self) -> None:
            self._in_head, self._head_bytes = True, 0
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._in_head = False
            super().on_headers_complete()

        def send_400_response(self, _msg: str) -> None:
            self.transport.write(refusal)
            self.transport.close()

    _log.setLevel(logging.ERROR)
    return EnvelopeProtocol
