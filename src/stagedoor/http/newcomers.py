"""How a listening socket is closed without cutting off anybody who has connected to it."""

import contextlib
import ctypes
import socket
import struct
import sys

_SO_ATTACH_FILTER = 26
"""Linux, asm-generic/socket.h; Python's socket module does not name it."""

_RETURN_0 = struct.pack("HBBI", 0x06, 0, 0, 0)
"""The classic BPF program "return 0": every packet is dropped (linux/filter.h)."""


def turn_newcomers_away(listener: socket.socket) -> None:
    """
    Have the kernel ignore new connections to *listener*; those it has made wait to be accepted as before.

    Whoever is ignored tries again a second later, and is then refused or meets
    the next server. Where the kernel knows no such filter, at most one new
    connection waits at a time, which makes losing one unlikely.
    """
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            program = ctypes.create_string_buffer(_RETURN_0)
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
        else:
            listener.listen(0)
