import pytest

from stagedoor.resilience.breaker import ON_SALE, BreakerEvent, BreakerSettings, State, StateChanged
from stagedoor.resilience.breakers import Breakers, Instance
from tests.unit.resilience.breakers import MS_NS, DatabaseGone

SHORT = BreakerSettings(
    minimum_number_of_calls=2,
    wait_duration_in_open_state_ms=10,
    automatic_transition_from_open_to_half_open_enabled=True,
)


class House:
    def __init__(self) -> None:
        self.now_ns = 0
        self.breakers = Breakers({Instance.SALE: SHORT}, now_ns=lambda: self.now_ns)

    def fail(self, instance: Instance, times: int) -> None:
        breaker = self.breakers.of(instance)
        for _ in range(times):
            breaker.record_error(breaker.acquire(), 1, DatabaseGone("gone"))


def test_each_has_its_own_settings_or_those_of_the_on_sale() -> None:
    breakers = House().breakers

    assert breakers.of(Instance.SALE).settings is SHORT
    assert breakers.of(Instance.QUEUE).settings is ON_SALE


def test_there_are_those_that_were_asked_for_in_a_fixed_order() -> None:
    breakers = House().breakers

    for instance in (Instance.DATABASE, Instance.QUEUE, Instance.DATABASE):
        breakers.of(instance)

    assert [breaker.name for breaker in breakers.all()] == ["queueService", "database"]


def test_one_is_found_by_its_name() -> None:
    breakers = House().breakers

    made = breakers.of(Instance.REDIS)

    assert breakers.find("redis") is made
    assert breakers.find("kafka") is None
    assert breakers.find("nonsense") is None


def test_one_that_opens_leaves_the_others_closed() -> None:
    house = House()

    house.fail(Instance.SALE, 2)

    assert house.breakers.of(Instance.SALE).state is State.OPEN
    assert house.breakers.of(Instance.QUEUE).state is State.CLOSED


@pytest.mark.parametrize("made_before", [True, False])
def test_whoever_listens_hears_of_all(*, made_before: bool) -> None:
    house, heard = House(), list[BreakerEvent]()
    if made_before:
        house.breakers.of(Instance.SALE)
    house.breakers.subscribe(heard.append)

    house.fail(Instance.SALE, 2)

    [change] = [event for event in heard if isinstance(event, StateChanged)]
    assert (change.breaker, change.entered) == ("saleService", State.OPEN)


async def test_a_tick_does_what_is_due() -> None:
    house = House()
    house.fail(Instance.SALE, 2)

    early = await house.breakers.tick()
    house.now_ns = 10 * MS_NS
    due = await house.breakers.tick()

    assert (early, due) == (0, 1)
    assert house.breakers.of(Instance.SALE).state is State.HALF_OPEN
