"""
`python -m stagedoor` is the command `stagedoor`.

Loading it takes longer than a person needs to change her mind, so Ctrl-C is
provided for before anything is loaded.
"""

import os
import signal
from types import FrameType

STANDARD_ERROR = 2

INTERRUPTED = 130
"""What a shell says of a command that was ended by SIGINT: 128 and the signal's number."""


def main() -> None:
    """Run the command with the arguments of this process."""
    _have_standard_streams()
    signal.signal(signal.SIGINT, _leave_at_once)
    from stagedoor.cli import main as run  # noqa: PLC0415 -- the loading itself is what may be interrupted

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _have_standard_streams() -> None:
    """
    Have something at the descriptors 0 to 2, also when the process was started without.

    The next file or socket would get such a number, and be written to as if it
    were the terminal.
    """
    while (lowest_free := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        continue
    os.close(lowest_free)


def _leave_at_once(_number: int, _frame: FrameType | None) -> None:
    """End in the middle of an import, where an exception may be caught by whoever imports, or told with a traceback."""
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
