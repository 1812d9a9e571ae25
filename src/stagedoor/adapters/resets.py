"""How the loop of a serving process says that a connection was reset, which it does not always say by an OSError."""

_SAID_BY_UVLOOP = ("the handler is closed", "does not expose socket instance")


def was_reset(error: RuntimeError) -> bool:
    """Say whether uvloop means that the other side has reset a connection, just before a driver used it."""
    return any(said in str(error) for said in _SAID_BY_UVLOOP)
