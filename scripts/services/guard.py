"""
Runs one server as its child, and ends it as soon as whoever started it has gone.

    guard.py [--user NAME] SIGNAL FOLDER PROGRAM...

It is told of the end by its standard input: that is a pipe, which closes when
the starter dies, however it dies. Then the server gets SIGNAL, and SIGKILL if
that does not end it in time. The starter says "keep" before it closes the pipe
if FOLDER is to stay; where it could not say anything, FOLDER is removed.

Standard library only: it starts with `python -IS`, which takes 20 ms.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress

END_SECONDS_MAX = 15
KEEP = b"keep"


def main(arguments: list[str]) -> int:
    """Print the server's pid, and return its exit status when it has ended."""
    user = None
    if arguments[0] == "--user":
        user, arguments = arguments[1], arguments[2:]
    number, folder, *command = arguments
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they are for the starter, whose end is ours
        signal.signal(each, signal.SIG_IGN)
    server = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
        restore_signals=True,
        preexec_fn=heed_signals,  # noqa: PLW1509 -- there is no other thread yet
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )
    print(server.pid, flush=True)
    said: list[bytes] = []
    starter = threading.Thread(target=end_with_starter, args=(server, signal.Signals(int(number)), said), daemon=True)
    starter.start()
    status = server.wait()
    sys.stdout.close()  # so the starter sees that it has ended
    os.close(1)
    with suppress(ProcessLookupError):  # of some servers killed, the workers live on
        os.killpg(server.pid, signal.SIGKILL)
    starter.join()
    if KEEP not in said:
        shutil.rmtree(folder, ignore_errors=True)
    return status


def heed_signals() -> None:
    """Give the server back the signals that this process ignores."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


def end_with_starter(server: "subprocess.Popen[bytes]", number: signal.Signals, said: list[bytes]) -> None:
    """Wait for the starter's last word, put it into *said*, and end *server*."""
    said.append(sys.stdin.buffer.read())
    for each in (number, signal.SIGCONT):  # one that was stopped hears nothing else
        server.send_signal(each)
    try:
        server.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) & 0xFF)
