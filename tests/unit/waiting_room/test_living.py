import random

from stagedoor.waiting_room.columns import Columns
from stagedoor.waiting_room.living import LivingPlaces

STEPS = 5_000


def test_it_is_a_dict_of_numbers_by_buyer() -> None:
    chance = random.Random(3)
    columns = Columns()
    living = LivingPlaces(columns)
    expected: dict[int, int] = {}

    for _ in range(STEPS):
        buyer = chance.randrange(1, 1_000) * 4_096
        if buyer in expected:
            assert living.get(buyer) == expected.pop(buyer)
            living.remove(buyer)
        else:
            assert living.get(buyer) is None
            columns.add(buyer, 0, 0)
            living.add(buyer, columns.last_number)
            expected[buyer] = columns.last_number
        assert len(living) == len(expected)

    assert {buyer: living.get(buyer) for buyer in expected} == expected


def test_it_begins_with_the_places_that_live() -> None:
    columns = Columns()
    columns.add_stored(
        buyers=[7, 8, 9], states=[1, 5, 3], counting=[1, 0, 0], token_expires_at=[0] * 3, seen_at=[0] * 3
    )

    living = LivingPlaces(columns)

    assert [living.get(buyer) for buyer in (7, 8, 9)] == [1, None, 3]
    assert len(living) == 2


def test_it_takes_24_bytes_a_buyer_at_most() -> None:
    columns = Columns()
    living = LivingPlaces(columns)
    for buyer in range(1, 10_001):
        columns.add(buyer, 0, 0)
        living.add(buyer, buyer)

    assert living.bytes_used <= 24 * 10_000 + 16_384


def test_buyers_who_come_and_go_leave_nothing_behind() -> None:
    columns = Columns()
    living = LivingPlaces(columns)
    for buyer in range(1, 10_001):
        columns.add(buyer, 0, 0)
        living.add(buyer, buyer)
        living.remove(buyer)

    assert len(living) == 0
    assert living.bytes_used <= 64 * 1024
