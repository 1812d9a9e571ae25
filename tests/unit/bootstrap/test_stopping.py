"""The last resort ends the process, whatever becomes of what it has to say."""

import os
import threading
from collections.abc import Callable

import pytest

from stagedoor.bootstrap import stopping


class Ended(BaseException):
    """The process is gone."""


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    left: list[int] = []

    def leave(code: int) -> None:
        left.append(code)
        raise Ended

    monkeypatch.setattr(os, "_exit", leave)
    return left


def say(monkeypatch: pytest.MonkeyPatch, warning: Callable[..., None]) -> None:
    """Let the log take its last line as *warning* does."""

    class Log:
        def warning(self, _event: str, **_facts: object) -> None:
            warning()

    monkeypatch.setattr(stopping, "log", Log())


def test_it_goes_where_the_log_can_not_be_written(monkeypatch: pytest.MonkeyPatch, codes: list[int]) -> None:
    def fail() -> None:
        raise BrokenPipeError

    say(monkeypatch, fail)
    with pytest.raises(Ended):
        stopping._go()  # noqa: SLF001 -- what the timer calls

    assert codes == [0]


def test_it_goes_where_nobody_reads_the_log(monkeypatch: pytest.MonkeyPatch, codes: list[int]) -> None:
    read = threading.Event()
    monkeypatch.setattr(stopping, "FAREWELL_S", 0.01)

    def wait() -> None:
        read.wait()

    say(monkeypatch, wait)
    with pytest.raises(Ended):
        stopping._go()  # noqa: SLF001 -- as above
    read.set()

    assert codes == [0]
