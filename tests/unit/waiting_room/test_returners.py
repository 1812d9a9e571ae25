import random

from stagedoor.waiting_room.returners import Returners


def test_they_are_in_order_of_number_whenever_they_came_back() -> None:
    returners = Returners()
    for number in (7, 3, 9, 1):
        returners.add(number)

    assert list(returners) == [1, 3, 7, 9]
    assert list(returners) == [1, 3, 7, 9]
    assert len(returners) == 4


def test_who_comes_back_twice_is_there_once() -> None:
    returners = Returners()
    for number in (5, 2, 5):
        returners.add(number)
    returners.discard(5)
    returners.add(5)

    assert list(returners) == [2, 5]


def test_discarding_somebody_who_is_not_there_is_harmless() -> None:
    returners = Returners()
    returners.discard(4)
    returners.add(4)
    returners.discard(4)
    returners.discard(4)

    assert list(returners) == []


def test_they_are_a_sorted_set() -> None:
    chance = random.Random(5)
    returners = Returners()
    expected: set[int] = set()
    for _ in range(5_000):
        number = chance.randrange(200)
        if chance.random() < 0.5:
            returners.add(number)
            expected.add(number)
        else:
            returners.discard(number)
            expected.discard(number)

    assert list(returners) == sorted(expected)
