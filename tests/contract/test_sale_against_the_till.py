"""The database and the till without one answer alike, whatever comes, in whatever batches."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from stagedoor.checkout.commands import ChargeWallet, PayForHold, PlaceHold, SaleCommand
from stagedoor.kernel.clock import ManualClock
from stagedoor.kernel.ids import HoldId
from tests.builders.sale import a_key, a_place, charge, kinds, leave, pay, release, reserve, untouched_rows
from tests.builders.store import House
from tests.unit.checkout.till import Till

BUYERS = 6
SEATS = 24


def an_evening(random: Random, length: int) -> Iterator[SaleCommand]:
    """Make up what a few buyers do about a few seats: mostly sensible, sometimes twice or with another's hold."""
    holds = [(1, 1)]
    said: list[SaleCommand] = [leave(BUYERS)]
    for step in range(length):
        buyer, hold_id = random.choice(holds[-6:])
        if random.random() < 0.1:
            buyer = random.randint(1, BUYERS)
        key = a_key(str(random.randint(1, 60)), random.choice("aab")) if random.random() < 0.4 else None
        place = a_place(buyer + BUYERS * (step // 12))
        match random.choices(["reserve", "pay", "release", "leave", "charge", "again"], [9, 6, 2, 1, 2, 3])[0]:
            case "reserve":
                holds.append((random.randint(1, BUYERS), 2_000 + step))
                buyer, hold_id = holds[-1]
                seats = random.sample(range(1, SEATS + 1), random.choice([1, 1, 2, 3]))
                place = a_place(buyer + BUYERS * (step // 12))
                command: SaleCommand = reserve(buyer, *seats, hold_id=hold_id, place=place, key=key)
            case "pay":
                command = pay(buyer, hold_id=hold_id, key=key)
            case "release":
                command = release(buyer, hold_id=hold_id, key=key)
            case "leave":
                command = leave(buyer, place)
            case "charge":
                command = charge(buyer, random.randint(1, 60_000), key=key)
            case _:
                command = _said_again(random.choice(said[-6:]))
        said.append(command)
        yield command


def _said_again(command: SaleCommand) -> SaleCommand:
    """Send the request once more: the edge gives it new ids for what it may create."""
    match command:
        case PayForHold():
            return pay(command.buyer_id, hold_id=command.hold_id, key=command.key)
        case ChargeWallet():
            return charge(command.buyer_id, command.amount_won, key=command.key)
        case PlaceHold():
            return replace(command, hold_id=HoldId(command.hold_id + 100_000))
        case _:
            return command


@pytest.mark.parametrize("seed", range(4))
async def test_they_answer_alike(house: House, clock: ManualClock, seed: int) -> None:
    random = Random(seed)
    till = Till(untouched_rows())
    commands = list(an_evening(random, 300))
    seen: Counter[str] = Counter()
    while commands:
        size = random.choice([1, 2, 5, 20])
        batch, commands = commands[:size], commands[size:]

        answered = await house.batch(*batch)

        expected = [till.one(command) for command in batch]
        assert list(map(repr, answered)) == list(map(repr, expected))
        seen.update(kinds(answered))
        if random.random() < 0.1:
            await house.tidy()
        clock.advance(random.choice([0, 0, 0, 1, 1_000, 20_000, 59_999, 90_000]))
        till.now = clock.now()
    await house.check()
    assert seen.keys() >= {
        "Settled",
        "SeatsTaken",
        "TooManySeats",
        "UnknownHold",
        "HoldIsOver",
        "AlreadyPaid",
        "PlaceIsOver",
    }
