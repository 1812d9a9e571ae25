"""Buyers who ask for everything at a constant rate, whatever is answered, and ask again for what they were not told."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import TAKEN
from tests.e2e.harness.client import Client
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Staged
from tests.e2e.harness.until import NeverSeenError, until
from tests.e2e.harness.wire import ConnectionCutError

CALLS_A_SECOND = 14
HOLDERS, RELEASERS, RIVALS, WAITING, LEAVING = 12, 8, 24, 6, 10
INSIDE = 1 + HOLDERS + RELEASERS + RIVALS
IN_LINE = WAITING + LEAVING + 30
CHARGED_WON = 7
LOOKS = 2_400
LET_IN_S = 0.3
AGAIN_S = 0.3
TRIES = 200

Ask = Callable[[], Awaitable[Answer]]


def is_settled(answer: Answer) -> bool:
    """Whether there is nothing left to ask: it was granted, or the seat is a rival's."""
    return answer.ok or answer.verdict == TAKEN


def is_inside(answer: Answer) -> bool:
    """Whether she was let in."""
    return answer.ok and answer.data["status"] == "PROGRESS"


class Crowd:
    """
    The buyers of one outage.

    Two of them always want the same seat. Everything that changes something has
    a key; what was put off is in *pending*, to be asked again with the same key
    once all is well.
    """

    def __init__(
        self, client: Client, show: Staged, seats: Iterator[int], *, inside: list[Fan], line: list[Fan]
    ) -> None:
        """Let *inside*, of the room of the *show*, buy its *seats*; *line* are of another room, whose line is long."""
        self.client = client
        self.pending: list[Ask] = []
        self._show = show
        self._seats = seats
        self._inside = inside
        self._reader, *self._holding = inside[: 1 + HOLDERS + RELEASERS]
        rivals = inside[1 + HOLDERS + RELEASERS :]
        self._rivals = zip(rivals[::2], rivals[1::2], strict=True)
        self._line = iter(line)
        self._waiting: list[Fan] = []
        self._leaving: Iterator[Fan] = iter(())
        self._held: Iterator[tuple[Fan, int]] = iter(())
        self._to_release: Iterator[tuple[Fan, int]] = iter(())
        self._keys = map(str, itertools.count())
        self._calls: set[asyncio.Task[object]] = set()
        self._went_on = 0
        self.defects: list[str] = []

    async def enter(self) -> None:
        """Let those in who will buy; some hold seats already, and some stand in line."""
        lined_up = list(itertools.islice(self._line, WAITING + LEAVING))
        await asyncio.gather(*(self._settled(fan.join) for fan in [*self._inside, *lined_up]))
        await asyncio.gather(*(until(fan.check, is_inside, looks=LOOKS, between_s=LET_IN_S) for fan in self._inside))
        held = await asyncio.gather(*(self._hold(fan) for fan in self._holding))
        self._held, self._to_release = iter(held[:HOLDERS]), iter(held[HOLDERS:])
        self._waiting, self._leaving = lined_up[:WAITING], iter(lined_up[WAITING:])

    async def go_on(self, seconds: float, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Ask for so long, or until *unless*; nobody waits for an answer before the next call is made."""
        began = time.monotonic()
        for nth in range(round(seconds * CALLS_A_SECOND)):
            await asyncio.sleep(max(0.0, began + nth / CALLS_A_SECOND - time.monotonic()))
            if unless():
                return
            self._begin(self._next(self._went_on))
            self._went_on += 1

    def charge(self, buyers: int) -> None:
        """Let so many charge their wallets at once, and wait for no answer."""
        for buyer in self._inside[:buyers]:
            self._begin(self._charge(buyer))

    async def all_answered(self) -> None:
        """Return when nobody waits any more."""
        if self._calls:
            await asyncio.wait(self._calls)

    async def ask_again(self) -> None:
        """Ask for all that was not granted until it is: then everybody knows what has happened."""
        for ask in self.pending:
            await self._settled(ask)
        self.pending.clear()

    def _begin(self, calls: Coroutine[object, object, object]) -> None:
        task = asyncio.ensure_future(calls)
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.defects.append(repr(error))

    async def _hold(self, fan: Fan) -> tuple[Fan, int]:
        seat_id, key = next(self._seats), next(self._keys)
        answer = await self._settled(partial(fan.reserve, self._show.schedule_id, seat_id, key=key))
        reservation_id: int = answer.data["reservationId"]
        return fan, reservation_id

    async def _settled(self, ask: Ask) -> Answer:
        """Ask until there is nothing left to ask, not before she was told to: on a busy machine it never ends else."""
        answer = await ask()
        for _ in range(TRIES):
            if is_settled(answer):
                return answer
            await asyncio.sleep(max(AGAIN_S, float(answer.headers.get("retry-after", 0))))
            answer = await ask()
        raise NeverSeenError(f"after {TRIES} tries: {answer}")

    async def _next(self, nth: int) -> None:  # noqa: C901 -- a list of calls
        reader, waiting = self._reader, self._waiting[nth % WAITING]
        match nth % CALLS_A_SECOND:
            case 0 | 7:
                await self._told(waiting.check)
            case 1 | 8 if (rivals := next(self._rivals, None)) is not None:
                seat_id = next(self._seats)
                await asyncio.gather(*(self._buy(buyer, seat_id) for buyer in rivals))
            case 2 | 9:
                await self._told(reader.schedule)
            case 3 | 10:
                await self._told(partial(reader.seats, self._show.schedule_id))
            case 4 if (newcomer := next(self._line, None)) is not None:
                await self._done(partial(newcomer.join, key=next(self._keys)))
            case 5 if (hold := next(self._held, None)) is not None:
                await self._done(partial(hold[0].pay, hold[1], key=next(self._keys)))
            case 6:
                await self._told(reader.check)
            case 11 if (hold := next(self._to_release, None)) is not None:
                await self._done(partial(hold[0].release, hold[1], key=next(self._keys)))
            case 12 if (leaver := next(self._leaving, None)) is not None:
                await self._done(partial(leaver.leave, key=next(self._keys)))
            case 13:
                await self._told(partial(self.client.ask, "GET", f"/queue/status?room={waiting.room_id}"))
            case _:
                # By all of them in turn: nobody may have more than a hundred keys, however long it goes on.
                await self._charge(self._inside[nth % INSIDE])

    async def _charge(self, buyer: Fan) -> None:
        await self._done(partial(buyer.charge, CHARGED_WON, key=next(self._keys)))

    async def _buy(self, buyer: Fan, seat_id: int) -> None:
        held = await self._done(partial(buyer.reserve, self._show.schedule_id, seat_id, key=next(self._keys)))
        if held is not None and held.ok:
            await self._done(partial(buyer.pay, held.data["reservationId"], key=next(self._keys)))

    async def _told(self, ask: Ask) -> Answer | None:
        try:
            return await ask()
        except (ConnectionCutError, OSError, TimeoutError):
            return None  # it is in the client's record of what was cut

    async def _done(self, ask: Ask) -> Answer | None:
        answer = await self._told(ask)
        if answer is None or not is_settled(answer):
            self.pending.append(ask)
        return answer
