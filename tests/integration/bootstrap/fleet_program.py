"""
A fleet of three workers that answer each connection with their number and process, for `test_fleet.py`.

The first argument is how they behave: `well`, `refuse` to start, or do not `stop`.
"""

import os
import signal
import socket
import sys

from stagedoor.bootstrap.fleet import Fleet, Mate

SIZE = 3
REFUSAL = 7


def main(how: str) -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Fleet(
            SIZE,
            lambda mate: serve(listener, mate, how),
            all_ready=lambda: say(f"ready {listener.getsockname()[1]}"),
            turn_away=lambda: say("turned away"),
            notice_s=0.1,
            stop_s=0.2 if how == "stop" else 30,
        ).run()


def serve(listener: socket.socket, mate: Mate, how: str) -> int:
    if how == "refuse":
        say("no")
        return REFUSAL
    if how == "stop":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    mate.ready()
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(f"{mate.slot} {os.getpid()}".encode())


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
