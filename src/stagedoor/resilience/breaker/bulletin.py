"""Events wait until the breaker has settled, and are then told to everybody, in order."""

from collections import deque

from stagedoor.resilience.breaker.events import BreakerEvent, Listener


class Bulletin:
    """The listeners of one breaker and what they have not been told yet."""

    __slots__ = ("_telling", "listeners", "of_calls", "pending")

    def __init__(self) -> None:
        self.listeners: tuple[Listener, ...] = ()
        self.of_calls: tuple[Listener, ...] = ()
        self.pending: deque[tuple[BreakerEvent, tuple[Listener, ...]]] = deque()
        self._telling = False

    def subscribe(self, listener: Listener, *, calls: bool) -> None:
        """Tell *listener* every event from now on, those of single calls only if it wants *calls*."""
        self.listeners = (*self.listeners, listener)
        if calls:
            self.of_calls = (*self.of_calls, listener)

    def add(self, event: BreakerEvent) -> None:
        """Keep *event* until `publish`."""
        self.pending.append((event, self.listeners))

    def add_call(self, event: BreakerEvent) -> None:
        """Keep *event*, of a single call, until `publish`."""
        self.pending.append((event, self.of_calls))

    def publish(self) -> None:
        """Tell everybody what is kept."""
        # A listener that steers the breaker gets here again. What it brought about is told
        # by the loop under way, or the other listeners would hear the effect before its cause.
        if self._telling:
            return
        self._telling = True
        try:
            while self.pending:
                event, listeners = self.pending.popleft()
                for listener in listeners:
                    listener(event)
        finally:
            self._telling = False
