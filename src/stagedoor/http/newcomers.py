"""How a listening socket is closed without cutting off anybody who has connected to it."""

import contextlib
import ctypes
import socket
import struct
import sys

_SO_ATTACH_FILTER = 26
"""Linux, asm-generic/socket.h; Python's socket module does not name it."""

_DROP_FIRST_PACKETS = (
    (0x30, 0, 0, 13),  # load the flags of the TCP header,
    (0x54, 0, 0, 0x12),  # of them SYN and ACK:
    (0x15, 0, 1, 0x02),  # where SYN stands alone,
    (0x06, 0, 0, 0),  # drop the packet,
    (0x06, 0, 0, 0xFFFF_FFFF),  # else keep all of it
)
"""
A classic BPF program (linux/filter.h): it drops what asks for a connection, and nothing else.

A listener is also given what completes a connection that it has agreed to. Its
client counts as connected by then, and may have sent a request: dropping that
would cut her off when the listener is closed.
"""


def turn_newcomers_away(listener: socket.socket) -> None:
    """
    Have the kernel ignore new connections to *listener*; those it has made, or agreed to, are accepted as before.

    Whoever is ignored tries again a second later, and is then refused or meets
    the next server. Where the kernel knows no such filter, at most one new
    connection waits at a time, which makes losing one unlikely.
    """
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            steps = b"".join(struct.pack("HBBI", *step) for step in _DROP_FIRST_PACKETS)
            program = ctypes.create_string_buffer(steps)
            attached = struct.pack("HP", len(_DROP_FIRST_PACKETS), ctypes.addressof(program))
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
        else:
            listener.listen(0)
