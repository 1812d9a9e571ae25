"""What the servers have in common: a folder, a port, and a start that ends when the server answers."""

import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from scripts.services.certificates import AUTHORITY, issue
from scripts.services.guard import KEEP

GUARD = Path(__file__).with_name("guard.py")
HOST = "127.0.0.1"
LOOK_EVERY_SECONDS = 0.02
START_SECONDS_MAX = 300
TRIES_MAX = 5
PORTS = range(16_000, 32_000)
"""
Below those that a system gives to outgoing connections. A client that calls a
dead server again and again may be given the server's own port and be connected
to itself, and then the server cannot come back to it.
"""


class Missing(Exception):  # noqa: N818 -- a sentence to a person, not an error in the code
    """What a server needs is not on this machine."""


class Server(ABC):
    """
    A real server in a private folder, on a port of this machine's own address.

    It lives while it is held: `with MariaDB() as server`. It is gone after the
    block, and also if the process that holds it is killed. In between it may be
    killed, stopped for a while and started again, with its data and its port.
    """

    name: ClassVar[str]
    end_signal: ClassVar[signal.Signals] = signal.SIGTERM
    user: str | None = None
    """Whom it runs as, where that is not whoever starts it."""

    def __init__(self, *options: str, tls: bool = False) -> None:
        """
        Take more of the server's own *options* than those it is always started with.

        With *tls* it talks to nobody who does not encrypt; `authority` has what
        there is to trust.
        """
        self.options = options
        self.tls = tls
        self.port = 0
        self.pid = 0
        self._folder: Path | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """Name what it needs and this machine does not have; nothing if all is there."""

    @abstractmethod
    def prepare(self) -> None:
        """Put into the folder what the first start needs."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the program and its arguments, which keep it in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Ask it something by its own protocol, and tell whether it did what was asked."""

    def settle(self) -> None:  # noqa: B027 -- most have nothing to settle
        """Do what can be done only once it answers for the first time."""

    @property
    def folder(self) -> Path:
        """Where all its files are."""
        assert self._folder is not None, "it has not been started"
        return self._folder

    @property
    def authority(self) -> Path:
        """The certificate of who has signed the server's own."""
        return self.folder / AUTHORITY

    @property
    def log(self) -> str:
        """All that it has said until now."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        """Whether there is a process; it may be paused."""
        if self._guard is None:
            return False
        assert self._guard.stdout is not None
        ended, _, _ = select.select([self._guard.stdout], [], [], 0)
        return not ended

    def __enter__(self) -> Self:
        """Make the folder, and start."""
        if missing := self.missing():
            raise Missing(f"{self.name} needs {missing}, which this machine does not have")
        self._folder = Path(tempfile.mkdtemp(prefix=f"stagedoor-{self.name}-"))
        try:
            if self.tls:
                issue(self.folder, address=HOST)
            self.prepare()
            self._own(self._folder)
            self._start_on_some_port()
            self.settle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and remove the folder."""
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start it on the port it had, and return when it answers; do nothing if it runs."""
        if self.running:
            return
        self._let_go()  # of one that has ended by itself, the guard still waits for a word
        self._spawn()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.answers():
            if not self.running:
                raise ChildProcessError(f"{self.name} ended before it answered:\n{self.log}")
            if time.monotonic() > deadline:
                self.stop()
                raise TimeoutError(f"{self.name} did not answer within {START_SECONDS_MAX} s:\n{self.log}")
            time.sleep(LOOK_EVERY_SECONDS)

    def stop(self) -> None:
        """Stop it as its operator would, and wait until it is gone; its data stay. Do nothing if it does not run."""
        self._let_go()

    def kill(self) -> None:
        """Kill it (SIGKILL) as if the power had failed for this process alone, and wait until it is gone."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
        self._let_go()

    def pause(self) -> None:
        """Stop its process (SIGSTOP): it keeps its connections, and answers nothing."""
        assert self.running
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one go on."""
        assert self.running
        os.kill(self.pid, signal.SIGCONT)

    def environment(self) -> Mapping[str, str]:
        """Return the environment that it runs in."""
        return os.environ

    def _start_on_some_port(self) -> None:
        if self.port:  # it was given one
            return self.start()
        for tries_left in reversed(range(TRIES_MAX)):
            self.port = free_port()
            try:
                return self.start()
            except ChildProcessError:  # somebody else may have taken the port meanwhile
                if not tries_left or is_free(self.port):
                    raise
        return None

    def _spawn(self) -> None:
        as_user = ("--user", self.user) if self.user else ()
        with (self.folder / "log").open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-IS", GUARD, *as_user, str(int(self.end_signal)), self.folder, *self.command()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment(),
                start_new_session=True,  # it outlives whoever started it, to clean up
            )
        assert self._guard.stdout is not None
        said = self._guard.stdout.readline()
        if not said:
            self._let_go()
            raise ChildProcessError(f"{self.name} could not be started:\n{self.log}")
        self.pid = int(said)

    def _let_go(self) -> None:
        if self._guard is not None:
            self._guard.communicate(KEEP)
            self._guard = None

    def _own(self, path: Path) -> None:
        """Give *path*, and all that is in it, to whom the server runs as."""
        if self.user is not None:
            for each in (path, *path.rglob("*")):
                shutil.chown(each, self.user, self.user)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    while not is_free(port := random.choice(PORTS)):  # noqa: S311 -- no secret
        pass
    return port


def is_free(port: int) -> bool:
    """Tell whether a server could listen on *port*."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: what is closing is free
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True


def run(*command: str | Path, user: str | None = None, cwd: Path | None = None, script: str = "") -> str:
    """
    Run one of the engine's own tools, with *script* as its input, and return what it printed.

    Raise ChildProcessError with what it complained of if it fails.
    """
    done = subprocess.run(
        command,
        input=script,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        raise ChildProcessError(f"{command[0]} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
