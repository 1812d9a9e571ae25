from types import SimpleNamespace

import pytest

from stagedoor.http.call import Call
from stagedoor.http.keys import key_of
from stagedoor.http.rejections import Unreadable
from stagedoor.http.wire import JoinBody
from stagedoor.kernel.clock import Instant, ManualClock


def a_call(*keys: bytes) -> Call:
    scope = {"type": "http", "headers": [(b"idempotency-key", key) for key in keys]}
    # No more of the services is looked at here.
    services = SimpleNamespace(clock=ManualClock(Instant(0)))
    return Call(scope, services, "request-1")  # type: ignore[arg-type]


def test_no_header_is_no_key() -> None:
    assert key_of(a_call()) is None


@pytest.mark.parametrize("value", [b"k", b" ~", b"x" * 128])
def test_one_to_128_printable_characters(value: bytes) -> None:
    key = key_of(a_call(value))

    assert key is not None
    assert key.value == value.decode()


@pytest.mark.parametrize("values", [(b"",), (b"x" * 129,), (b"\xc3\xa9",), (b"a\tb",), (b"\x7f",), (b"a", b"a")])
def test_anything_else_cannot_be_read(values: tuple[bytes, ...]) -> None:
    with pytest.raises(Unreadable) as refused:
        key_of(a_call(*values))

    assert refused.value.flaw.field == "Idempotency-Key"


def test_the_fingerprint_is_of_what_was_asked() -> None:
    def fingerprint(*asked: object) -> str:
        key = key_of(a_call(b"k"), *asked)
        assert key is not None
        return key.fingerprint

    assert fingerprint(JoinBody(user_id=1)) == fingerprint(JoinBody(user_id=1))
    assert fingerprint(JoinBody(user_id=1)) != fingerprint(JoinBody(user_id=2))
    assert fingerprint(JoinBody(user_id=1)) != fingerprint(JoinBody(user_id=1, room="main"))
    assert fingerprint(1, (2, 3)) != fingerprint(1, (3, 2))
    assert fingerprint() != fingerprint(None)
    assert len(fingerprint()) == 64
