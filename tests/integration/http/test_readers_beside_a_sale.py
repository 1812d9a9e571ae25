"""A hundred readers beside one sale a second: nearly every list is there, and the database hardly notices them."""

import pytest

from stagedoor.http.hot import HotCalls
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.kernel.ids import SeatId
from stagedoor.seating.model import SeatState
from tests.integration.http.stage import CLUB_NIGHT, Stage, an_admitted_place

READERS = 100
SECONDS = 10
LISTS = (("/v1/api/concerts/schedule", b""), ("/v1/api/concerts/seat", b"scheduleId=1"))


def looks(stage: Stage, result: str) -> float:
    """Return how many looks at lists have been hits, or misses, so far."""
    samples = [sample for family in stage.metrics.registry.collect() for sample in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == "stagedoor_cache_requests_total" and sample.labels["result"] == result
    )


@pytest.mark.parametrize("a_sale_changes", [True, False], ids=["beside a sale", "beside nothing"])
async def test_a_hundred_readers(*, a_sale_changes: bool) -> None:
    stage = Stage()
    calls = HotCalls(stage.app)
    fields = [(b"authorization", stage.token(an_admitted_place()).encode())]
    rows = [(calls.find(b"GET", path.encode()), query) for path, query in LISTS]

    for second in range(SECONDS):
        if a_sale_changes:
            stage.seating.states[SeatId(11 + second % 3)] = SeatState.SOLD if second % 2 else SeatState.HELD
            stage.listings.changed([CLUB_NIGHT])
        for _ in range(READERS):
            stage.clock.advance(SECOND_MS // READERS)
            for row, query in rows:
                assert row is not None
                call = calls.begin(row, query, fields, ("127.0.0.1", 50_000))
                told = calls.at_once(row, call) or await calls.answer(row, call, b"")
                assert told[0].status == 200

    hits, misses = looks(stage, "hit"), looks(stage, "miss")
    assert hits + misses == READERS * SECONDS * len(LISTS)
    assert hits / (hits + misses) >= 0.99
    assert stage.seating.reads / SECONDS <= 5
    if a_sale_changes:
        assert misses >= SECONDS  # the control: each sale was seen
