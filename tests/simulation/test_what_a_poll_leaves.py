"""A poll that is answered from memory leaves nothing behind, nor anything for the collector to find."""

import gc
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from stagedoor.http.app import create_app
from stagedoor.http.hot import HotCalls
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId
from stagedoor.waiting_room.ports import Joined
from tests.builders.store import before_the_sale
from tests.simulation.process import Server, live, settings_for

POLLS = 1_000
LEFT_MAX = 100
"""Blocks of memory, after all of them: no poll has left one, but a table may have grown meanwhile."""


@pytest.fixture(autouse=True)
def logs_like_a_server() -> Iterator[None]:
    """Log what is worth a warning, so that a poll is not."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.reset_defaults()


def left_by(poll: Callable[[], object]) -> int:
    """Call *poll* again and again; return by how many blocks of memory the process has grown once it is warm."""
    for _ in range(POLLS):
        poll()
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for _ in range(POLLS):
            poll()
        return sys.getallocatedblocks() - before
    finally:
        gc.enable()


async def polling(server: Server) -> Callable[[], object]:
    """Return what asks, the short way, how a place in the line of *server* stands."""
    joined = await server.services.issue_token.issue(buyer_id=BuyerId(1), room_id=MAIN_ROOM, key=None)
    assert isinstance(joined, Joined)
    token = server.services.tokens.issue(joined.place).encode()
    hot = HotCalls(create_app(server.services))
    row = hot.find(b"POST", b"/v1/api/queue/token/check")
    assert row is not None

    def poll() -> object:
        call = hot.begin(row, b"", [(b"host", b"x"), (b"authorization", token)], ("127.0.0.1", 50_000))
        told = hot.at_once(row, call)
        assert told is not None
        assert told[0].status == 200
        return told

    return poll


@pytest.mark.parametrize("is_kept", [False, True], ids=["forgotten", "control: kept"])
def test_a_settled_poll_leaves_nothing_behind(tmp_path: Path, *, is_kept: bool) -> None:
    database = tmp_path / "line.db"
    database.write_bytes(before_the_sale())
    kept: list[object] = []
    left: list[int] = []

    async def story(server: Server) -> None:
        poll = await polling(server)
        left.append(left_by((lambda: kept.append(poll())) if is_kept else poll))

    live(settings_for(database), story)

    assert (left[0] <= LEFT_MAX) is not is_kept, left
