import io
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog

from stagedoor.observability.logs import LogLevel, described, set_up

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3Iiwicm9vbSI6Im1haW4ifQ.b9DpxeIBhIKPyx2LYkLsR9KFTtyX"
OPERATOR_KEY = "0f3a" * 16


class Lines:
    """What was logged in JSON."""

    def __init__(self, level: LogLevel = "debug") -> None:
        self.stream = io.StringIO()
        set_up(style="json", level=level, to=self.stream)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def facts(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.text.splitlines()]


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_facts_with_keys() -> None:
    lines = Lines()

    structlog.get_logger().info("hold.expired", hold_id=5, late_ms=12)

    [fact] = lines.facts
    assert fact["event"] == "hold.expired"
    assert (fact["hold_id"], fact["late_ms"], fact["level"]) == (5, 12, "info")
    assert fact["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_told() -> None:
    lines = Lines("warning")

    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    assert [fact["event"] for fact in lines.facts] == ["loud"]


def test_libraries_are_told_in_the_same_form() -> None:
    lines = Lines()

    logging.getLogger("uvicorn.error").error("bad %s", "thing")
    logging.getLogger("sqlalchemy.engine").info("[parameters: (7, 'secret')]")

    [fact] = lines.facts
    assert (fact["event"], fact["level"], fact["logger"]) == ("bad thing", "error", "uvicorn.error")


@pytest.mark.parametrize("name", ["authorization", "token", "cookie", "x_identity", "idempotency_key", "buyer_id"])
def test_what_proves_who_somebody_is_is_blanked(name: str) -> None:
    lines = Lines()

    structlog.get_logger().info("oops", **{name: "Bearer of news"})

    assert lines.facts[0][name] == "***"


def test_tokens_and_keys_are_cut_out_of_every_text() -> None:
    lines = Lines()

    structlog.get_logger().info(f"for {JWT}", note=f"key {OPERATOR_KEY}!", notes=[f"x={JWT}", 5])
    logging.getLogger("lib").error("bad header %s", JWT)

    assert JWT not in lines.text
    assert OPERATOR_KEY not in lines.text
    assert lines.facts[0]["note"] == "key ***!"


def look_up() -> None:
    raise ValueError(f"no such token: {JWT}\n[SQL: INSERT]\n[parameters: (4711,)]")


def fail() -> None:
    try:
        look_up()
    except ValueError as error:
        raise RuntimeError("could not") from error


def test_an_exception_is_told_with_its_cause_and_place_but_not_its_values() -> None:
    lines = Lines()

    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("worker.failed")

    outer, inner = lines.facts[0]["exception"]
    assert outer.startswith("RuntimeError: could not @ test_logs.py:")
    assert " fail < " in outer
    assert inner.startswith("ValueError: no such token: *** @ ")
    assert "4711" not in lines.text
    assert JWT not in lines.text


def test_a_librarys_exception_is_told_the_same_way() -> None:
    lines = Lines()

    try:
        fail()
    except RuntimeError:
        logging.getLogger("lib").exception("went wrong")

    assert lines.facts[0]["exception"][0].startswith("RuntimeError: could not @ ")
    assert JWT not in lines.text


def test_a_chain_without_end_is_cut() -> None:
    error = innermost = ValueError("0")
    for depth in range(1, 20):
        error.__cause__ = error = ValueError(str(depth))

    assert len(described(innermost)) == 5


def test_the_console_says_the_same_for_people() -> None:
    stream = io.StringIO()
    set_up(style="console", level="info", to=stream)

    structlog.get_logger().info("hold.expired", hold_id=5, token=JWT)

    assert "hold.expired" in stream.getvalue()
    assert JWT not in stream.getvalue()
