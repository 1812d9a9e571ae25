"""What a call may have to wait for, and that goes on for as long as a test wants."""

import asyncio
from collections.abc import Sequence

from stagedoor.adapters.batching import Batcher
from stagedoor.observability.unheard import hearing


class Work:
    """Something that takes until it is released."""

    def __init__(self) -> None:
        """Begin nothing."""
        self.may_end = asyncio.Event()
        self.ended = 0

    async def __call__(self) -> str:
        """Wait to be released."""
        await self.may_end.wait()
        self.ended += 1
        return "done"


class Step:
    """One command of a batch, and what its caller does before and behind it."""

    def __init__(self) -> None:
        """Ask nothing of the batch."""
        self.is_in_hand = asyncio.Event()
        self.may_end = asyncio.Event()
        self.handled: list[int] = []
        self.batcher = Batcher[int, str](self._handle, batch_max=1, waiting_max=1)
        self.told: list[str] = []

    async def _handle(self, numbers: Sequence[int]) -> Sequence[str]:
        self.is_in_hand.set()
        await self.may_end.wait()
        self.handled.extend(numbers)
        return ["done" for _ in numbers]

    async def __call__(self) -> str:
        """Ask for the command, and note the answer."""
        outcome = await hearing(self.batcher)(1)
        self.told.append(outcome)
        return outcome

    async def handle_the_rest(self) -> None:
        """Have the batch do what it has, and end."""
        self.may_end.set()
        self.batcher.close()
        await self.batcher.run()
