"""
Runs a server so that Ctrl-C reaches the server alone, and a clean stop is a success.

A terminal sends Ctrl-C to every process of its foreground group, `make` included,
which then dies of it however well the server behaved. So the server gets a group of
its own and, while it runs, the terminal; that is how a shell runs a job.
"""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run Python with the arguments given, and exit as it does."""
    command = [sys.executable, *sys.argv[1:]]
    terminal = own_terminal()
    if terminal is None:
        os.execv(command[0], command)
    sys.exit(run_as_job(command, terminal))


def own_terminal() -> int | None:
    """Return the terminal whose foreground is ours, or None if there is none."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
        return terminal if os.tcgetpgrp(terminal) == os.getpgrp() else None
    except OSError:
        return None


def run_as_job(command: list[str], terminal: int) -> int:
    """Run *command* as the foreground job of *terminal*; return its exit status as a shell would."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or giving the terminal back would stop us
    job = os.posix_spawn(command[0], command, os.environ, setpgroup=0, setsigdef=[signal.SIGTTOU])

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(job, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    try:
        return wait(job, terminal)
    finally:
        os.tcsetpgrp(terminal, os.getpgrp())


def wait(job: int, terminal: int) -> int:
    """Wait for the end of *job*; when it is stopped (Ctrl-Z), stop with it, and go on with it."""
    while True:
        os.tcsetpgrp(terminal, job)
        os.killpg(job, signal.SIGCONT)
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        os.tcsetpgrp(terminal, os.getpgrp())
        os.kill(0, signal.SIGSTOP)


if __name__ == "__main__":
    main()
