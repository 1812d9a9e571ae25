"""The three kinds of no: a rejection (the rules), a fault (a dependency), a defect (anything else: our bug)."""


class Rejection(Exception):  # noqa: N818 -- a rejection is an answer, not an error
    """
    The rules said no.

    It reaches the caller as a refusal with a stable code, trips no breaker,
    is never retried, and never becomes a 500.
    """


class Fault(Exception):  # noqa: N818 -- the glossary's word
    """
    A dependency failed or was too slow; the caller may try again later.

    *retry_after_ms* says when a retry makes sense. What happened is not told to
    the caller beyond that: the cause is chained for the log.
    """

    def __init__(self, message: str, *, retry_after_ms: int = 1_000) -> None:
        """Describe the fault for the log in *message*."""
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class TurnedAway(Fault):
    """
    A dependency was not even asked: this process turned the call away before that.

    So it says nothing about the dependency, and no breaker counts it.
    """


class Overloaded(TurnedAway):
    """A bounded line of work inside this process is full."""


class StoreFull(Fault):
    """A store has no room for what had to be written."""


class TooLate(TurnedAway):
    """The caller's deadline had passed before anything of the work was begun, and nothing will be."""


class CallersDeadlineMissed(TurnedAway):
    """
    A deadline of the caller's own, shorter than ours, passed before the work was done.

    What was waited for was asked, but had less time than it is due, so no breaker counts it.
    """


class DeadlineMissed(Fault):
    """The caller's deadline passed before the work was done."""
