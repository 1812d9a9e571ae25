"""Where a command or a reply of Redis ends, in both versions of its protocol, however the bytes come."""

from collections import Counter

import pytest

from tests.faults.redis_replies import Conversation, end_of_message
from tests.faults.toxics import DOWN, UP

WHOLE = [
    b"+OK\r\n",
    b"-ERR no\r\n",
    b":-7\r\n",
    b"$5\r\nab\r\nc\r\n",
    b"$0\r\n\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"*2\r\n*2\r\n:1\r\n$1\r\na\r\n+b\r\n",
    b"_\r\n",
    b"#t\r\n",
    b",1.5\r\n",
    b"(123456789012345678901234567890\r\n",
    b"!3\r\nERR\r\n",
    b"=7\r\ntxt:abc\r\n",
    b"~1\r\n:1\r\n",
    b"%1\r\n+a\r\n*1\r\n:1\r\n",
    b"|1\r\n+ttl\r\n:3600\r\n*1\r\n:1\r\n",
    b">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n",
]


@pytest.mark.parametrize("message", WHOLE)
def test_a_message_ends_where_it_ends_and_not_before(message: bytes) -> None:
    assert [end_of_message(b"?" + message[:cut], 1) for cut in range(len(message))] == [None] * len(message)
    assert end_of_message(b"?" + message + b"+next\r\n", 1) == 1 + len(message)


def test_the_same_pieces_come_of_every_way_to_cut_the_bytes() -> None:
    conversation = Conversation(Counter())
    sent = b"".join(WHOLE)

    pieces = [piece for byte in sent for piece in conversation.cut(DOWN, bytes([byte]), 0.0)]

    assert [piece.data for piece in pieces] == WHOLE


def test_a_reply_knows_its_command_and_a_push_has_none() -> None:
    commands: Counter[str] = Counter()
    conversation = Conversation(commands)
    get, ping = b"*2\r\n$3\r\nget\r\n$1\r\na\r\n", b"*1\r\n$4\r\nPING\r\n"
    push, message = b">1\r\n+invalidate\r\n", b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"
    conversation.cut(UP, get + ping, 0.0)

    pieces = conversation.cut(DOWN, push + b"$1\r\n7\r\n" + message + b"+PONG\r\n", 0.0)

    assert [piece.request for piece in pieces] == [b"", get, b"", ping]
    assert commands == {"GET": 1, "PING": 1}
