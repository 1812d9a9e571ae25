"""Events wait until the breaker has settled, and are then told to everybody, in order."""

from collections import deque

from stagedoor.resilience.breaker.events import BreakerEvent, Listener


class Bulletin:
    """The listeners of one breaker and what they have not been told yet."""

    __slots__ = ("_pending", "_telling", "listeners")

    def __init__(self) -> None:
        self.listeners: tuple[Listener, ...] = ()
        self._pending: deque[BreakerEvent] = deque()
        self._telling = False

    def subscribe(self, listener: Listener) -> None:
        """Tell *listener* every event from now on."""
        self.listeners = (*self.listeners, listener)

    def add(self, event: BreakerEvent) -> None:
        """Keep *event* until `publish`."""
        self._pending.append(event)

    def publish(self) -> None:
        """Tell everybody what is kept."""
        # A listener that steers the breaker gets here again. What it brought about is told
        # by the loop under way, or the other listeners would hear the effect before its cause.
        if self._telling:
            return
        self._telling = True
        try:
            while self._pending:
                event = self._pending.popleft()
                for listener in self.listeners:
                    listener(event)
        finally:
            self._telling = False
