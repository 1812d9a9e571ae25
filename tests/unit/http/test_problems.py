from types import SimpleNamespace
from typing import Any

import pytest

from stagedoor.http import problems
from stagedoor.http.call import Call
from stagedoor.http.problems import BUSY, DEFECT, NOBODY, SOLD_OUT, Refusal, tell
from stagedoor.http.wire import FlawDetail

IDS = ("0123456789ab-1", "0123456789ab-2", "the-id-of-the-request")


def a_call(request_id: str, language: bytes | None) -> Call:
    headers = [] if language is None else [(b"accept-language", language)]
    services: Any = SimpleNamespace(clock=SimpleNamespace(now=lambda: 0))
    scope: Any = {"headers": headers}
    return Call(scope, services, request_id)


@pytest.mark.parametrize("refusal", [BUSY, DEFECT, NOBODY, SOLD_OUT], ids=lambda refusal: refusal.code)
@pytest.mark.parametrize("language", [None, b"ko"])
@pytest.mark.parametrize("retry_after_ms", [None, 1, 1_001])
def test_what_is_kept_of_a_refusal_is_told_like_what_is_written_anew(
    refusal: Refusal, language: bytes | None, retry_after_ms: int | None
) -> None:
    for request_id in IDS:
        kept = tell(refusal, a_call(request_id, language), retry_after_ms=retry_after_ms)
        # With a field that is not there, nothing can be kept.
        anew = tell(refusal, a_call(request_id, language), retry_after_ms=retry_after_ms, headers=((b"x", b"y"),))
        assert kept.body == anew.body
        assert kept.status == anew.status
        assert (*kept.raw_headers, (b"x", b"y")) == anew.raw_headers
        assert (request_id.encode() in kept.body) is (refusal.status >= DEFECT.status)


def test_details_are_told_though_the_refusal_is_kept() -> None:
    plain = tell(SOLD_OUT, a_call("1", None))
    detailed = tell(SOLD_OUT, a_call("1", None), details=[FlawDetail(field="seatIds", problem="missing")])

    assert b"seatIds" not in plain.body
    assert b"seatIds" in detailed.body


def test_no_more_is_kept_than_a_bound() -> None:
    for retry_after_ms in range(problems._KEPT_MAX + 10):  # noqa: SLF001 -- a breaker's wait is any number
        tell(BUSY, a_call("1", None), retry_after_ms=retry_after_ms)

    assert problems._around_the_id.cache_info().currsize == problems._KEPT_MAX  # noqa: SLF001
