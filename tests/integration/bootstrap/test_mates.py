"""One page with the metrics of all workers, whichever of them is asked."""

from functools import partial
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from stagedoor.bootstrap.mates import METRICS, Mates, meeting_place
from stagedoor.http.ops_breakers import ABOUT_BREAKERS, answer_mate
from stagedoor.observability.fleet_metrics import page_of
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breaker import State
from stagedoor.resilience.breakers import Breakers, Instance

Page = dict[tuple[str, str], float]


def mates(folder: Path, slot: int, size: int, metrics: Metrics) -> Mates:
    return Mates(folder, slot, size, {METRICS: lambda _: page_of(metrics.registry)})


async def read(one: Mates) -> Page:
    """Return the samples of the page, those with the labels `process` and at most one more, by name and process."""
    body, media_type = await one.scrape(None)
    assert media_type.startswith("text/plain")
    families = list(text_string_to_metric_families(body.decode()))
    assert len({family.name for family in families}) == len(families)
    return {(sample.name, sample.labels["process"]): sample.value for family in families for sample in family.samples}


async def test_each_worker_tells_of_all() -> None:
    one, two = Metrics(), Metrics()
    one.defects.inc(3)
    two.defects.inc(4)

    with meeting_place() as folder:
        first, second = mates(folder, 1, 2, one), mates(folder, 2, 2, two)
        async with first.telling(), second.telling():
            pages = [await read(first), await read(second)]

    for page in pages:
        assert page["stagedoor_defects_total", "1"] == 3
        assert page["stagedoor_defects_total", "2"] == 4
        assert (page["stagedoor_process_up", "1"], page["stagedoor_process_up", "2"]) == (1, 1)
    assert not folder.exists()


async def test_a_worker_that_is_not_there_is_told_of_as_such() -> None:
    with meeting_place() as folder:
        alone = mates(folder, 2, 3, Metrics())
        async with alone.telling():
            page = await read(alone)

    assert [page["stagedoor_process_up", slot] for slot in "123"] == [0, 1, 0]
    assert {process for _, process in page} == {"1", "2", "3"}
    assert ("stagedoor_defects_total", "1") not in page


async def test_whoever_takes_the_place_of_a_dead_worker_is_heard() -> None:
    anew = Metrics()
    anew.defects.inc()

    with meeting_place() as folder:
        folder.joinpath("1.sock").write_text("left by a worker that was killed")
        async with mates(folder, 1, 1, anew).telling():
            page = await read(mates(folder, 1, 1, anew))

    assert page["stagedoor_defects_total", "1"] == 1


async def test_a_page_that_was_cut_off_is_as_good_as_none() -> None:
    whole = page_of(Metrics().registry)

    with meeting_place() as folder:
        cut = Mates(folder, 1, 2, {METRICS: lambda _: whole[:-1]})
        other = mates(folder, 2, 2, Metrics())
        async with cut.telling(), other.telling():
            page = await read(other)

    assert (page["stagedoor_process_up", "1"], page["stagedoor_process_up", "2"]) == (0, 1)


async def test_a_question_reaches_all_others_with_what_it_is_about() -> None:
    def says(slot: int) -> Mates:
        return Mates(folder, slot, 3, {b"greet": lambda whom: b"%d greets %b" % (slot, whom)})

    with meeting_place() as folder:
        first, second = says(1), says(2)
        async with first.telling(), second.telling():
            told = await first.ask_others(b"greet the third one")
            unknown = await first.ask_others(b"shout at her")

    assert (first.number, told) == (1, {2: b"2 greets the third one", 3: None})
    assert unknown == {2: None, 3: None}


async def test_an_order_to_a_breaker_is_carried_out_by_each() -> None:
    all_breakers = [Breakers({}, now_ns=lambda: 0) for _ in range(2)]
    for breakers in all_breakers:
        breakers.of(Instance.SALE)

    def obeys(slot: int) -> Mates:
        return Mates(folder, slot, 2, {ABOUT_BREAKERS: partial(answer_mate, all_breakers[slot - 1])})

    with meeting_place() as folder:
        first, second = obeys(1), obeys(2)
        async with first.telling(), second.telling():
            forced = await first.ask_others(ABOUT_BREAKERS + b" force_open saleService")
            nobodys = await first.ask_others(ABOUT_BREAKERS + b" force_open redis")

    assert b'"state":"FORCED_OPEN"' in (forced[2] or b"")
    assert nobodys == {2: None}
    assert [breakers.of(Instance.SALE).state for breakers in all_breakers] == [State.CLOSED, State.FORCED_OPEN]
