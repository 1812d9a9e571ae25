"""What would be said over and over is said once a while, with how often it was not said."""

EVERY_S = 1.0


class Seldom:
    """Lets each kind of line through once a second. Kinds are of a closed set; instants are seconds of any clock."""

    def __init__(self) -> None:
        """Have said nothing yet."""
        self._said_at: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def say(self, kind: str, now: float) -> int | None:
        """Return how many of *kind* were left unsaid since the last one, None if this one is to be left unsaid too."""
        said_at = self._said_at.get(kind)
        if said_at is not None and now - said_at < EVERY_S:
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            return None
        self._said_at[kind] = now
        return self._unsaid.pop(kind, 0)
